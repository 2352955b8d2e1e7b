"""The README's figures are lower bounds of those in docs/how/reliability.md, and its zeros are zeros there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

#: A figure of the README -> those of docs/how/reliability.md that it sums up (by the beginnings of their names).
FIGURES = {
    "over {} times": ("",),
    "over {} storms": ("caps",),
    "over {} failing disks": ("disk-",),
    "over {} kills": ("kills-",),
    "over {} interruptions": ("signals",),
}
#: Runs that nothing was done to are no proof of what an injury does.
UNHARMED = "clean"


def published() -> dict[str, dict[str, str]]:
    """figure -> column -> cell, as the reliability page prints them."""
    page = (ROOT / "docs" / "how" / "reliability.md").read_text(encoding="utf-8")
    table = page[page.index("<!-- figures -->") :].split("\n\n")[1]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_the_figures_of_the_readme_are_lower_bounds_of_the_published_ones() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    figures = published()
    for sentence, beginnings in FIGURES.items():
        said = re.search(sentence.format("([0-9,]+)"), readme)
        assert said is not None, sentence
        some = [row for name, row in figures.items() if name.startswith(beginnings) and name != UNHARMED]
        fired = [row["fired"] for row in some]
        assert sum(int(each.replace(",", "")) for each in fired) >= int(said[1].replace(",", "")), sentence


def test_nothing_that_the_readme_calls_zero_happened() -> None:
    for name, row in published().items():
        assert (row["paid twice"], row["ids lost"], row["violations"]) == ("0", "0", "0"), name
