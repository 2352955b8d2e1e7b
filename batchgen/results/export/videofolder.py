"""A Hugging Face VideoFolder: `train/` with the videos and `metadata.parquet`, and a dataset card.

`datasets.load_dataset("videofolder", data_dir=TARGET)` opens it offline. One line a video; Parquet, so that
a column keeps its type whatever its first lines hold.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batchgen.amount import CREDITS, Unit
from batchgen.job import Result
from batchgen.results.export.pack import Exported, Tally, Video, copy_checked, finished, whole_folder
from batchgen.results.export.parquet import GROUP, parquet_columns, parquet_schema
from batchgen.results.summary import Summary

#: Columns that say something of the run and not of the video, or that change from run to run.
_NOT_HERE = ("video_url", "video_urls", "video_path", "video_paths", "sha256", "expires_at", "error", "error_code")


def write_videofolder(
    target: Path, results: Iterable[Result], summary: Summary, other: Sequence[str], out_dir: Path
) -> Exported:
    """Copy every finished video, checked against its sha256; what is missing or changed is left out by name."""
    tally = Tally()
    schema = videofolder_schema(other, summary)
    with whole_folder(target) as folder:
        train = folder / "train"
        train.mkdir()
        waiting: list[tuple[Video, str, str]] = []
        with (
            (train / "metadata.parquet").open("xb") as metadata,
            pq.ParquetWriter(metadata, schema, compression="zstd") as writer,
        ):
            for video in finished(results, out_dir, tally):
                name = video.path.relative_to(out_dir).as_posix().removeprefix("videos/")
                copy = train / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with copy.open("xb") as file:
                        digest = copy_checked(video, file)
                except ValueError as error:
                    copy.unlink()
                    tally.leave_out(str(error))
                    continue
                tally.videos += 1
                waiting.append((video, name, digest))
                if len(waiting) == GROUP:
                    writer.write_table(table(waiting, other, schema))
                    waiting.clear()
            writer.write_table(table(waiting, other, schema))
        (folder / "README.md").write_text(card(summary, tally.videos), encoding="utf-8", newline="\n")
    return tally.exported(target)


def videofolder_schema(other: Sequence[str], summary: Summary) -> pa.Schema:
    """`file_name` first, as the format asks, then what made the video, then the manifest's own columns."""
    whole = parquet_schema(other, summary)
    kept = [field for field in whole if field.name not in _NOT_HERE]
    first = [pa.field("file_name", pa.string()), pa.field("sha256", pa.string()), pa.field("made_by", pa.string())]
    return pa.schema(first + kept, metadata=whole.metadata)


def table(videos: Sequence[tuple[Video, str, str]], other: Sequence[str], schema: pa.Schema) -> pa.Table:
    unit = Unit("usd") if "charged_usd" in schema.names else CREDITS
    columns: dict[str, list[Any]] = parquet_columns([video.result for video, _, _ in videos], other, unit)
    columns = {name: values for name, values in columns.items() if name in schema.names and name != "sha256"}
    made = schema.metadata[b"batchgen"].decode()
    columns["file_name"] = [name for _, name, _ in videos]
    columns["sha256"] = [digest for _, _, digest in videos]
    columns["made_by"] = [made] * len(videos)
    return pa.table(columns, schema=schema)


def card(summary: Summary, videos: int) -> str:
    """The dataset card: front matter for the hub, and how to open it."""
    name = re.sub(r"[^\w .-]", "_", summary.out)
    return f"""---
pretty_name: {json.dumps(name)}
task_categories:
- text-to-video
configs:
- config_name: default
  data_files:
  - split: train
    path: train/**
---

# {name}

{videos} videos with the request that made each (`prompt`, inputs, options, model), its task id, its sha256
and what it cost in credits. Made with batchgen {summary.version} at {summary.service}, prices of
{summary.prices}.

```python
from datasets import load_dataset

videos = load_dataset("videofolder", data_dir=".", split="train")
```
"""
