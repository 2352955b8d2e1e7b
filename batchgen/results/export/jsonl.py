"""JSON Lines: one record a line, for programs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from batchgen.files import whole_file
from batchgen.job import Result
from batchgen.results.export.pack import Exported
from batchgen.results.export.record import record
from batchgen.results.summary import Summary


def json_line(value: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8; half a surrogate pair, which UTF-8 can't hold, stays an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def write_jsonl(target: Path, results: Iterable[Result], summary: Summary) -> Exported:
    """All results, those without a video too."""
    lines = 0
    with whole_file(target) as file:
        for result in results:
            file.write(json_line(record(result, summary)))
            lines += 1
    return Exported(target, lines)
