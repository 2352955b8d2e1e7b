"""A table under `rows:` is read with the care of a manifest; its own lines and cells are named."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, jobs, survey
from batchgen.job import Job
from batchgen.results.export.xlsx import write_text_sheet

HEAD = "version: 1\ndefaults: {provider: kie, model: m, scene: text-to-video}\njobs:\n"


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    ending = path.suffix
    if ending == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif ending == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == ".xlsx":
        with path.open("wb") as file:
            write_text_sheet(file, names, [[str(row.get(name) or "") for name in names] for row in rows])
    else:
        mark = {".csv": ",", ".tsv": "\t", ".txt": ";"}[ending]
        lines = [mark.join(names), *(mark.join(str(row.get(name) or "") for name in names) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _of(folder: Path, entry: str, rows: list[dict[str, Any]] | None = None, ending: str = ".csv") -> Path:
    if rows is not None:
        _write(folder / f"table{ending}", rows)
    path = folder / "m.yaml"
    path.write_text(f"{HEAD}  - rows: table{ending}\n{entry}", encoding="utf-8")
    return path


def _survey(path: Path) -> Survey:
    return survey([path], ReadOptions(), PriceTable.load())


def _jobs(path: Path) -> list[Job]:
    return [job for job in jobs([path], ReadOptions(), PriceTable.load()) if isinstance(job, Job)]


FORMATS = [".csv", ".tsv", ".txt", ".xlsx", ".json", ".jsonl", ".parquet"]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_blank_cell_is_absent_so_that_default_fills_it_and_an_option_is_left_out(
    tmp_path: Path, ending: str
) -> None:
    rows: list[dict[str, Any]] = [{"sku": "a", "title": "Mug", "s": "5"}, {"sku": "b", "title": None, "s": None}]
    text = "{{ title | default('A thing') }} turns"
    entry = f'    id: "{{{{ sku }}}}"\n    prompt: "{text}"\n    options: {{duration: "{{{{ s }}}}"}}\n'
    path = _of(tmp_path, entry, rows, ending)
    assert [(job.request["prompt"], job.request.get("options")) for job in _jobs(path)] == [
        ("Mug turns", {"duration": "5"}),
        ("A thing turns", None),
    ]
    assert _survey(path).warnings == ()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_blank_that_leaves_a_hole_is_said_with_its_row(tmp_path: Path, ending: str) -> None:
    rows: list[dict[str, Any]] = [
        {"sku": "a", "maker": "Bo", "note": "x"},
        {"sku": "b", "maker": None, "note": "y"},
    ]
    found = _survey(_of(tmp_path, '    id: "{{ sku }}"\n    prompt: "A mug by {{ maker }}"\n', rows, ending))
    (warning,) = found.warnings
    assert (warning.code, warning.row, Path(warning.manifest).name) == ("blank_variable", 2, f"table{ending}")
    assert warning.line == {".csv": 3, ".tsv": 3, ".txt": 3, ".jsonl": 2}.get(ending)
    assert warning.cell == ("B3" if ending in (".csv", ".tsv", ".txt", ".xlsx") else None)


@pytest.mark.parametrize(
    "text",
    [
        "{{ maker | default('Bo') }}'s mug",
        "{{ maker or sku }}'s mug",
        "{{ maker if maker else 'Bo' }}'s mug",
        "A mug",
    ],
)
def test_a_blank_that_the_text_takes_care_of_is_quiet(tmp_path: Path, text: str) -> None:
    rows: list[dict[str, Any]] = [{"sku": "a", "maker": None}, {"sku": "b", "maker": "Al"}]
    assert _survey(_of(tmp_path, f'    id: "{{{{ sku }}}}"\n    prompt: "{text}"\n', rows)).warnings == ()


@pytest.mark.parametrize("ending", FORMATS)
def test_an_error_value_in_a_column_that_is_used_is_a_problem_of_its_cell(tmp_path: Path, ending: str) -> None:
    rows: list[dict[str, Any]] = [
        {"sku": "a", "title": "#N/A", "own": "#N/A"},
        {"sku": "b", "title": "x", "own": "#REF!"},
    ]
    found = _survey(_of(tmp_path, '    id: "{{ sku }}"\n    prompt: "A {{ title }}"\n', rows, ending))
    assert [(problem.code, problem.row) for problem in found.problems] == [("error_cell", 1)]
    assert Path(found.problems[0].manifest).name == f"table{ending}"


@pytest.mark.parametrize("name", ["Название", "Größe", "शीर्षक", "商品名", "titre d'été", "ชื่อ", "1st name"])
def test_columns_are_variables_under_their_own_names_in_any_script(tmp_path: Path, name: str) -> None:
    from batchgen.manifest.table import variable

    path = _of(tmp_path, f'    prompt: "{{{{ {variable(name)} }}}} turns"\n', [{name: "Mug", "other": "x"}])
    assert [job.request["prompt"] for job in _jobs(path)] == ["Mug turns"]


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    path = _of(
        tmp_path,
        '    prompt: "{{ Gro\u0308\u00dfe }} and {{ Gr\u00f6\u00dfe | upper }}"\n',
        [{"Gr\u00f6\u00dfe": "l", "x": ""}],
    )
    assert [job.request["prompt"] for job in _jobs(path)] == ["l and L"]


@pytest.mark.parametrize(("header", "text"), [("seed", "{{ seed | int }}"), ("seed:int", "{{ seed }}")])
def test_a_number_can_be_sent_as_a_number_from_a_table_of_texts(tmp_path: Path, header: str, text: str) -> None:
    entry = f'    prompt: "{{{{ t }}}}"\n    options: {{seed: "{text}"}}\n'
    rows: list[dict[str, Any]] = [{"t": "a", header: "7"}, {"t": "b", header: "8.0"}, {"t": "c", header: ""}]
    path = _of(tmp_path, entry, rows)
    assert [job.request.get("options") for job in _jobs(path)] == [{"seed": 7}, {"seed": 8}, None]
    bad = _survey(_of(tmp_path, entry, [{"t": "a", header: "seven"}]))
    assert [(p.code, p.line, p.cell) for p in bad.problems] == [("bad_value", 2, "B2")]


def test_the_filter_float_gives_a_number_with_a_point(tmp_path: Path) -> None:
    entry = '    prompt: "{{ t }}"\n    options: {cfg: "{{ cfg | float }}"}\n'
    assert _jobs(_of(tmp_path, entry, [{"t": "a", "cfg": "0.5"}]))[0].request["options"] == {"cfg": 0.5}


@pytest.mark.parametrize(("text", "ids"), [("3", ["a", "a-2", "a-3"]), ("", ["a"]), ("2.0", ["a", "a-2"])])
def test_repeat_may_come_from_a_column_and_a_blank_is_once(tmp_path: Path, text: str, ids: list[str]) -> None:
    entry = '    id: "{{ name }}"\n    prompt: x\n    repeat: "{{ n }}"\n'
    assert [job.job_id for job in _jobs(_of(tmp_path, entry, [{"name": "a", "n": text}]))] == ids


@pytest.mark.parametrize("text", ["three", "0", "-1", "1.5"])
def test_a_repeat_that_is_no_number_names_its_line_and_cell(tmp_path: Path, text: str) -> None:
    found = _survey(
        _of(tmp_path, '    id: "{{ name }}"\n    prompt: x\n    repeat: "{{ n }}"\n', [{"name": "a", "n": text}])
    )
    assert [(p.code, p.line, p.cell) for p in found.problems] == [("bad_repeat", 2, "B2")]


def test_what_is_wrong_with_a_value_is_said_at_its_cell_in_the_table(tmp_path: Path) -> None:
    entry = '    scene: image-to-video\n    id: "{{ sku }}"\n    image_input: "{{ image }}"\n'
    rows = [{"sku": "a", "image": "https://a.example/a.png"}, {"sku": "a", "image": "C:\\a.png"}]
    found = _survey(_of(tmp_path, entry, rows))
    assert [(p.code, p.line, p.cell, Path(p.manifest).name) for p in found.problems] == [
        ("not_a_url", 3, "B3", "table.csv"),
        ("duplicate_id", 3, "A3", "table.csv"),
    ]


def test_a_name_that_two_columns_have_is_a_problem_only_where_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("sku,note,note\na,b,c\n")
    assert _survey(_of(tmp_path, '    prompt: "{{ sku }}"\n')).valid == 1
    found = _survey(_of(tmp_path, '    prompt: "{{ note }}"\n'))
    assert [(p.code, p.line, p.cell) for p in found.problems] == [("duplicate_column", 1, "C1")]


def test_a_table_that_has_no_end_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("/dev/zero", "pipe.csv"):
        path = tmp_path / "m.yaml"
        path.write_text(f'{HEAD}  - rows: {name}\n    prompt: "{{{{ a }}}}"\n')
        assert [problem.code for problem in _survey(path).problems] == ["bad_rows_file"]


@pytest.mark.parametrize(
    "expression",
    [
        "{{ a | replace('x', a) | replace('x', a) | replace('x', a) | replace('x', a) }}",
        "{{ a ~ a | replace('x', a) | replace('x', a) | replace('x', a) }}",
        "{{ a | replace('', a) | replace('', a) | replace('', a) }}",
        "{{ 'xxxxxxxxxx' | replace('x', a) | replace('x', a) | replace('x', a) | replace('x', a) }}",
    ],
)
def test_no_template_makes_a_text_without_end(tmp_path: Path, expression: str) -> None:
    """523 bytes of YAML once made a prompt of 1,073,741,824 characters."""
    path = tmp_path / "m.yaml"
    path.write_text(f'{HEAD}  - matrix: {{a: [{"x" * 90}]}}\n    prompt: "{expression}"\n')
    assert [problem.code for problem in _survey(path).problems] == ["too_large"]


def test_a_long_variable_in_many_places_is_no_text_without_end(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f'{HEAD}  - matrix: {{a: [{"x" * 10_000}]}}\n    prompt: "{"{{ a }} " * 200}"\n')
    assert [problem.code for problem in _survey(path).problems] == ["too_large"]
