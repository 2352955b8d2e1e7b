"""Draws docs/how/house.svg: the rooms of batchgen/ in their order, and an arrow for each room that imports another.

    python tools/house.py docs/how/house.svg

The order and what counts as an import are those of tests/test_imports.py; a test compares the picture.
"""

import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from test_imports import ORDER, PACKAGE, files_of, imports_of  # noqa: E402

ROW, TOP, LEFT, BOX = 34, 14, 10, 300
#: How far an arrow swings out: a little for the next room, more for each room in between.
NEAR, STEP = 18, 17
STYLE = """
text { font: 13px ui-monospace, monospace; fill: #1f2430 } .small { fill: #6a7080; font-size: 11px }
rect { fill: #f4f5f8; stroke: #c9cdd8 } path { fill: none; stroke: #5b6b9a; stroke-opacity: .55 }
@media (prefers-color-scheme: dark) { text { fill: #e6e8ee } .small { fill: #9aa1b3 }
rect { fill: #23262f; stroke: #454b5c } path { stroke: #93a5dd } }
"""


def rooms_below(room: str) -> list[str]:
    """The rooms within a room."""
    return sorted(path.name + "/" for path in (PACKAGE / room).glob("*/") if (path / "__init__.py").exists())


def arrows() -> list[tuple[int, int]]:
    """(importer, imported) as places in the order."""
    found = set()
    for place, room in enumerate(ORDER):
        for path in files_of(room):
            found |= {(place, ORDER.index(parts[0])) for parts in imports_of(path) if parts[0] in ORDER}
    return sorted((importer, imported) for importer, imported in found if importer != imported)


def picture() -> str:
    """The whole SVG."""
    height = TOP * 2 + ROW * len(ORDER)
    width = LEFT + BOX + NEAR + STEP * len(ORDER) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        "<title>The rooms of batchgen in their order; an arrow leads from a room to each that it imports</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:#5b6b9a;stroke:none"/></marker></defs>',
    ]
    for importer, imported in arrows():
        right = LEFT + BOX
        start, end = (TOP + ROW * place + ROW / 2 - 3 for place in (importer, imported))
        out = right + NEAR + STEP * (importer - imported)
        curve = f"M{right} {start:g}C{out} {start:g} {out} {end + 6:g} {right + 2} {end + 6:g}"
        parts.append(f'<path marker-end="url(#tip)" d="{curve}"/>')
    for place, room in enumerate(ORDER):
        y = TOP + ROW * place
        name = f"{room}.py" if (PACKAGE / f"{room}.py").exists() else f"{room}/"
        below = "  ".join(rooms_below(room))
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{BOX}" height="{ROW - 8}" rx="5"/>')
        parts.append(f'<text x="{LEFT + 10}" y="{y + 21}">{escape(name)}</text>')
        if below:
            parts.append(f'<text class="small" x="{LEFT + 110}" y="{y + 21}">{escape(below)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8", newline="\n")
