"""Settings: what is wrong is named, and nothing that was meant is passed over in silence."""

from pathlib import Path

import pytest
from desk import Desk

import batchgen
from batchgen.cli import invoke
from batchgen.errors import UsageError
from batchgen.running.settings import Config


def test_a_setting_with_a_typing_error_is_refused_and_nothing_is_bought(desk: Desk) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one")
        with pytest.raises(UsageError, match="There is no setting 'max_credit'") as told:
            batchgen.run("shots.csv", max_credit=0)  # type: ignore[call-overload]
        assert isinstance(told.value, TypeError)
        assert told.value.hint == "Did you mean max_credits=?"
        assert server.audit().posts == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", "fast"), ("rate", "0/s"), ("poll_rate", "1/"), ("max_failures", "101%"), ("max_credits", "5.5"),
     ("burst", "0"), ("max_in_flight", "-1"), ("deadline", "soon"), ("post_timeout", "0s"),
     ("post_timeout", "0.9"), ("downloads", "many")],
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


def test_a_bad_address_is_one_sentence_that_does_not_show_it(desk: Desk) -> None:
    """A key may stand in it, at the wrong place."""
    for given in (
        {"flags": {"base_url": "ftp://sk-canary"}},
        {"environment": {"BATCHGEN_BASE_URL": "ftp://sk-canary"}},
    ):
        with pytest.raises(UsageError, match="must be an address such as") as raised:
            Config.load(**{"environment": {}} | given)
        assert "sk-canary" not in str(raised.value)


@pytest.mark.parametrize("arguments", [["run", "m.csv", "--sandbox", "--out", ""], ["status", " "]])
def test_a_blank_folder_is_refused_not_taken_for_the_current_one(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(arguments) == 2
    assert "blank" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ["max_credits = 10", "max-credits = 10", "max_credit = 10", 'deadline = "2h"'])
@pytest.mark.parametrize("table", ["[prices]\ntext-to-video = 6", "[prices.kie]\ntext-to-video = 6"])
def test_a_setting_below_the_prices_is_refused_and_not_a_provider(table: str, line: str, desk: Desk) -> None:
    """In TOML a line below [prices] belongs to the prices: a cap that stands there would be no cap."""
    (desk.folder / "batchgen.toml").write_text(f"{table}\n{line}\n", encoding="utf-8")
    desk.jobs("shots.csv", "one")
    said = desk.give("run", "shots.csv", "--dry-run", "--json")
    assert (said.exit, said.json["error"]["code"]) == (2, "bad_config")
    assert "above the first line in brackets" in said.json["error"]["hint"]


def test_providers_and_models_keep_their_prices(desk: Desk) -> None:
    table = '[prices]\nkie = 7\n"kie/rate" = 8\n[prices.rate]\ntext-to-video = 9\n'
    (desk.folder / "batchgen.toml").write_text(table, encoding="utf-8")
    desk.write(
        "shots.csv", *(f"{n},{who},text-to-video,a" for n, who in enumerate(["kie,m", "kie,rate", "rate,m"]))
    )
    assert desk.give("run", "shots.csv", "--dry-run", "--json").json["plan"]["submit"]["credits"] == 24


def test_a_key_below_the_prices_is_refused_and_not_shown(desk: Desk) -> None:
    (desk.folder / "batchgen.toml").write_text('[prices]\napi_key = "sk-canary"\n', encoding="utf-8")
    said = desk.give("config")
    assert said.exit == 2
    assert "Keys do not belong in files" in said.err
    assert "canary" not in said.err


def test_prices_that_are_no_table_are_refused_in_a_sentence(desk: Desk) -> None:
    (desk.folder / "batchgen.toml").write_text("prices = 5\n", encoding="utf-8")
    said = desk.give("config")
    assert said.exit == 2
    assert "prices is 5, but must be a table" in said.err


@pytest.mark.parametrize(
    ("variable", "instead"),
    [
        ("BATCHGEN_MAX_CREDIT", "BATCHGEN_MAX_CREDITS"),
        ("BATCHGEN_MAXCREDITS", "BATCHGEN_MAX_CREDITS"),
        ("BATCHGEN_APIKEY", "BATCHGEN_API_KEY"),
        ("BATCHGEN_BUDGET", "BATCHGEN_MAX_CREDITS"),
    ],
)
def test_a_variable_with_a_typing_error_is_refused_and_its_value_not_shown(
    variable: str, instead: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cap with a typing error in its name must not be no cap."""
    monkeypatch.setenv(variable, "sk-canary-10")
    desk.jobs("shots.csv", "one")
    said = desk.give("run", "shots.csv", "--dry-run", "--json")
    assert (said.exit, said.json["error"]["code"]) == (2, "bad_setting")
    assert variable in said.json["error"]["message"]
    assert instead in said.json["error"]["hint"]
    assert "canary" not in said.out + said.err


def test_an_empty_cap_is_refused_unless_a_flag_says_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a script left empty must not be no cap."""
    monkeypatch.setenv("BATCHGEN_MAX_CREDITS", "")
    desk.jobs("shots.csv", "one")
    said = desk.give("run", "shots.csv", "--dry-run")
    assert said.exit == 2
    assert "BATCHGEN_MAX_CREDITS is empty" in said.err
    assert desk.give("run", "shots.csv", "--dry-run", "--max-credits", "none").exit == 0
