"""Everything that is known of a job, as one JSON object: what was asked, what it cost, what came, and by what."""

from typing import Any

from batchgen.job import Result
from batchgen.results.csv import utc
from batchgen.results.summary import Summary


def record(result: Result, summary: Summary) -> dict[str, Any]:
    """The line of results.csv with its provenance. Keys do not change; times are ISO 8601 in UTC or null."""
    return {
        "job_id": result.job_id,
        "manifest": result.manifest,
        "row": result.row,
        "state": result.state.value,
        "request": dict(result.request),
        "task_id": result.task_id or None,
        "videos": videos(result),
        summary.unit: {
            "estimated": result.estimated_credits,
            "charged": result.charged_credits,
            "refunded": result.refunded_credits,
        },
        "attempts": result.attempts,
        "submitted_at": utc(result.submitted_at) or None,
        "finished_at": utc(result.finished_at) or None,
        "expires_at": utc(result.expires_at) or None,
        "error_code": result.error_code or None,
        "error": result.error or None,
        "cells": dict(result.cells),
        "made_by": made_by(summary),
    }


def videos(result: Result) -> list[dict[str, str | None]]:
    """Each video of a job with its URL, its path relative to OUT and its sha256, as far as they are known."""
    urls, paths, sums = result.video_urls, result.video_paths, result.sha256
    return [
        {
            "url": urls[place] if place < len(urls) else None,
            "path": paths[place].replace("\\", "/") if place < len(paths) else None,
            "sha256": sums[place] if place < len(sums) else None,
        }
        for place in range(max(len(urls), len(paths)))
    ]


def made_by(summary: Summary) -> dict[str, str]:
    """Which program, which prices, which service."""
    return {"batchgen": summary.version, "price_table": summary.prices, "service": summary.service}
