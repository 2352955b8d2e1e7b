"""Every event that the code emits is explained."""

import re
from pathlib import Path

from batchgen.job import OutcomeKind

ROOT = Path(__file__).parent.parent.parent


def test_every_event_is_explained() -> None:
    page = (ROOT / "docs" / "use" / "results.md").read_text(encoding="utf-8")
    section = page[page.index("## events.jsonl") :]
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("batchgen/**/*.py"))
    names = {*re.findall(r"\.event\(\s*\"(\w+)\"", source), *OutcomeKind, "succeeded", "queued", "running"}
    assert len(names) > 10
    for name in names:
        assert f"`{name}`" in section, name
