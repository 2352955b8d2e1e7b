"""Settings: what is wrong is named, and nothing that was meant is passed over in silence."""

from pathlib import Path

import pytest
from desk import Desk

import batchgen
from batchgen.cli import invoke
from batchgen.config import Config
from batchgen.errors import UsageError


def test_a_setting_with_a_typing_error_is_refused_and_nothing_is_bought(desk: Desk) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one")
        with pytest.raises(UsageError, match="There is no setting 'max_credit'"):
            batchgen.run("shots.csv", max_credit=0)
        assert server.audit().posts == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", "fast"), ("rate", "0/s"), ("poll_rate", "1/"), ("max_failures", "101%"), ("max_credits", "5.5"),
     ("burst", "0"), ("max_in_flight", "-1"), ("deadline", "soon"), ("base_url", "ftp://x"), ("downloads", "many")],
)  # fmt: skip
def test_a_bad_value_is_one_sentence_wherever_it_comes_from(name: str, value: str, desk: Desk) -> None:
    (desk.folder / "batchgen.toml").write_text(f'{name} = "{value}"\n', encoding="utf-8")
    flag, variable = "--" + name.replace("_", "-"), f"BATCHGEN_{name.upper()}"
    for start, given in ((flag, {"flags": {name: value}}), (variable, {"environment": {variable: value}})):
        with pytest.raises(UsageError) as raised:
            Config.load(**{"environment": {}} | given)
        assert raised.value.message.startswith(f"{start} is {value!r}, but must be a")
    with pytest.raises(UsageError, match=f"^{name} in batchgen.toml is {value!r}, but must be a"):
        Config.load(environment={})


@pytest.mark.parametrize("arguments", [["run", "m.csv", "--sandbox", "--out", ""], ["status", " "]])
def test_a_blank_folder_is_refused_not_taken_for_the_current_one(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(arguments) == 2
    assert "blank" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
