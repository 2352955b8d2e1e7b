"""A key in the environment, or put in the wrong place, is shown on no screen and handed to no other program."""

import json
import os
from pathlib import Path
from urllib.parse import quote

import click
import pytest

from batchgen.cli import invoke
from batchgen.cli.browser import open_in_browser, secrets_in

KEY = "sk-live/9f2c+77aa/Zq=="
PLACES = [
    KEY,
    f"https://user:{KEY}@host.example",
    f"https://:{KEY}@host.example",
    f"https://{quote(KEY, safe='')}@host.example/v1",
    f"https://host.example/?key={KEY}",
    f"https://host.example/v1?key={quote(KEY)}",
    f"https://host.example/#{KEY}",
    f"ftp://host.example/{KEY}",
    f"https://host.example:{KEY}/",
    f"host.example/{KEY}",
]


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plan.csv"
    path.write_text("provider,model,scene,prompt\nkie,veo3,text-to-video,A cat\n")
    return path


@pytest.mark.parametrize("known", [True, False], ids=["key known", "key only there"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", ["flag", "variable", "file", "json"])
def test_a_key_inside_a_bad_base_url_is_not_printed(
    how: str,
    place: str,
    known: bool,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if known:
        monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
    arguments = ["run", str(manifest), "--yes"]
    if how == "variable":
        monkeypatch.setenv("BATCHGEN_BASE_URL", place)
    elif how == "file":
        Path("batchgen.toml").write_text(f"base_url = {json.dumps(place)}\n")
    else:
        arguments += ["--base-url", place, *(["--json"] if how == "json" else [])]
    assert invoke(arguments) == 2
    said = "".join(capfd.readouterr())
    assert "must be an address" in said
    for form in (KEY, quote(KEY), quote(KEY, safe=""), json.dumps(KEY)[1:-1], KEY[:12]):
        assert form not in said


@pytest.mark.parametrize("arguments", [[KEY], ["run", "--key", KEY], ["run", "--rate", KEY], ["status", KEY]])
def test_a_key_that_was_typed_in_the_wrong_place_is_not_printed_back(
    arguments: list[str], manifest: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAL_KEY", KEY)
    assert invoke(arguments) in (2, 3)
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "place", [f"https://{KEY}", f"https://host.example/{KEY}/v1", f"http://litellm:4000/{KEY}"]
)
def test_an_address_that_holds_the_key_is_refused(
    place: str, manifest: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
    assert invoke(["run", str(manifest), "--dry-run", "--base-url", place]) == 2
    said = "".join(capfd.readouterr())
    assert "holds the API key" in said
    assert KEY not in said


def test_the_browser_is_handed_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("BATCHGEN_API_KEY", "FAL_KEY", "REPLICATE_API_TOKEN", "MY_SECRET", "aws_secret_access_key")
    for name in names:
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("COPY", f"Bearer {KEY}")
    monkeypatch.setenv("DISPLAY", ":0")
    seen: dict[str, str] = {}
    monkeypatch.setattr(click, "launch", lambda _page: seen.update(os.environ))
    open_in_browser(tmp_path / "report.html")
    assert seen["DISPLAY"] == ":0"
    assert "PATH" in seen
    assert [name for name, value in seen.items() if KEY in value or name in names] == []
    assert os.environ["BATCHGEN_API_KEY"] == KEY, "it is needed again here"
    assert set(names) <= set(secrets_in(os.environ))
