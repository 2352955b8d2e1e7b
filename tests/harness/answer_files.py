"""Literal HTTP answers kept as files: `# mark: value` lines, then the answer as it stands on the wire."""

from dataclasses import dataclass
from pathlib import Path

from batchgen.job import Answer


@dataclass(frozen=True)
class Case:
    """`folder` is what the answer means; `marks` are further expectations and the circumstances."""

    folder: str
    name: str
    answer: Answer
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


def cases(root: Path) -> list[Case]:
    return [_read(path) for path in sorted(root.glob("*/*.http"))]


def _read(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    head, _, body = text.partition("\n\n")
    lines = head.split("\n")
    marks = dict(line[2:].partition(": ")[::2] for line in lines if line.startswith("# "))
    status, *headers = [line for line in lines if not line.startswith("# ")]
    named = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in headers}
    answer = Answer(int(status.split()[1]), named, body.removesuffix("\n").encode(), marks.get("framed") != "no")
    return Case(path.parent.name, path.stem, answer, {key: value.strip() for key, value in marks.items()})
