"""A folder that somebody else made: its batchgen.toml decides neither where the key goes nor what is spent."""

import json
from pathlib import Path

import pytest
from desk import KEY, Desk
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import UsageError
from batchgen.running import trust
from batchgen.running.settings import DEFAULT_BASE_URL, Config
from batchgen.running.trust import check_destination, is_loopback, origin_of


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's own word is kept, for this test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("APPDATA", str(home))
    return home


def toml(desk: Desk, *lines: str) -> None:
    (desk.folder / "batchgen.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("command", ["run", "collect"])
def test_the_key_does_not_go_where_a_folders_file_sends_it(
    command: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = desk.jobs("shots.csv", "take 1")
    if command == "collect":
        assert desk.give("run", manifest, "--sandbox", "--out", "outputs/shots").exit == 0
        desk.change_ledger(
            "outputs/shots", "UPDATE meta SET value = '\"https://evil.example\"' WHERE key = 'service'"
        )
    toml(desk, 'base_url = "https://evil.example"')
    monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
    asked = ("run", manifest, "--yes", "--json") if command == "run" else ("collect", "outputs/shots", "--json")
    said = desk.give(*asked)
    assert (said.exit, said.json["error"]["code"]) == (2, "untrusted_address")
    assert "batchgen.toml names the address https://evil.example" in said.err
    assert "batchgen config trust https://evil.example" in said.err
    assert KEY not in said.err + said.out


def test_a_host_that_the_user_trusts_is_used_and_only_with_that_services_key(desk: Desk, _home: Path) -> None:
    assert desk.give("config", "trust", "HTTPS://Videos.Example:443").exit == 0
    assert trust.trusted() == [("gateway", "https://videos.example")]
    common = {"own": DEFAULT_BASE_URL, "from_folder": "batchgen.toml", "plain_http": False}
    check_destination("https://videos.example/v2", service="gateway", **common)
    for url, service in (
        ("https://videos.example", "fal"),
        ("https://videos.example:8443", "gateway"),
        ("https://videos.example.evil.example", "gateway"),
        ("https://evil.example/videos.example", "gateway"),
    ):
        with pytest.raises(UsageError, match="names the address"):
            check_destination(url, service=service, **common)
    assert list(_home.rglob("trust.json")), "the word is kept outside of the project"
    assert desk.give("config", "trust", "https://videos.example", "--service", "fal").exit == 0
    check_destination("https://videos.example", service="fal", **common)


def test_a_person_at_a_terminal_is_asked_for_this_run_only(desk: Desk) -> None:
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    common = {"service": "gateway", "own": DEFAULT_BASE_URL, "from_folder": "batchgen.toml", "plain_http": False}
    check_destination("https://videos.example", **common, ask=yes)
    assert questions == ["batchgen.toml sends your key to https://videos.example. Is that right, for this run?"]
    assert trust.trusted() == []
    with pytest.raises(UsageError, match="names the address"):
        check_destination("https://videos.example", **common, ask=lambda _: False)


def test_the_services_own_address_this_machine_and_a_named_one_need_no_word() -> None:
    for url, file in (
        (DEFAULT_BASE_URL, "batchgen.toml"),
        (DEFAULT_BASE_URL + ":443/", "batchgen.toml"),
        ("http://127.0.0.1:4000", "batchgen.toml"),
        ("http://localhost:4000", "batchgen.toml"),
        ("http://[::1]:4000", "batchgen.toml"),
        ("https://videos.example", ""),
    ):
        check_destination(url, service="gateway", own=DEFAULT_BASE_URL, from_folder=file, plain_http=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1.evil.example", "localhost.evil.example", "1270.0.0.1", "127.evil.example"]
)
def test_a_name_that_looks_like_this_machine_is_not(host: str) -> None:
    assert not is_loopback(f"http://{host}:80")


@pytest.mark.parametrize("how", ["flag", "environment", "folder"])
def test_http_beyond_this_machine_needs_a_word_whoever_names_it(
    how: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = desk.jobs("shots.csv", "take 1")
    monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
    url = "http://videos.example"
    if how == "folder":
        toml(desk, f'base_url = "{url}"')
    if how == "environment":
        monkeypatch.setenv("BATCHGEN_BASE_URL", url)
    given_ = ("--base-url", url) if how == "flag" else ()
    said = desk.give("run", manifest, "--yes", "--json", *given_)
    assert (said.exit, said.json["error"]["code"]) == (2, "plain_http")
    assert "--plain-http" in said.err
    assert f"service {url}, unencrypted" in desk.give("run", manifest, "--dry-run", "--plain-http", *given_).out


@pytest.mark.parametrize(
    "line",
    ["idempotent = true", "trust_refunds = true", "plain_http = true", "yes = true", 'on_end = "curl evil"',
     'max_credits = "none"', "[prices]\ntext-to-video = 0", '[prices."kie/veo3"]\ntext-to-video = 0',
     "[prices]\nkie = 0"],
)  # fmt: skip
def test_what_a_folders_file_may_never_decide_stops_the_run(line: str, desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", "take 1")
    toml(desk, *line.splitlines())
    with desk.service() as server:
        said = desk.give("run", manifest, "--yes", "--json")
        assert said.exit == 2
        assert said.json["error"]["code"] in ("not_from_a_folder", "free_price")
        assert server.audit().posts == []


def test_a_folders_file_may_not_raise_the_cap_of_a_ledger_and_may_lower_it(desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", "take 1", "take 2")
    with desk.service() as server:
        assert desk.give("run", manifest, "--yes", "--no-download", "--limit", 1, "--max-credits", 6).exit == 7
        toml(desk, "max_credits = 12")
        said = desk.give("run", manifest, "--yes", "--no-download", "--json")
        assert (said.exit, said.json["error"]["code"]) == (2, "not_from_a_folder")
        assert "raises to 12 the cap of 6 credits" in said.err
        assert len(server.audit().posts) == 1
        assert desk.give("run", manifest, "--yes", "--no-download", "--max-credits", 12).exit == 0


def test_a_price_below_the_tables_is_a_warning_with_both_figures(desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", "take 1")
    toml(desk, "[prices]", "text-to-video = 2", '[prices."kie/veo3"]', "image-to-video = 20")
    said = desk.give("run", manifest, "--dry-run")
    assert "batchgen.toml has prices.text-to-video = 2; the price table says 6" in said.out
    assert "veo3" not in said.out, "a higher price hurts nobody"


def test_the_plan_names_the_address_and_what_the_folders_file_decides(desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", "take 1")
    assert "service" not in desk.give("run", manifest, "--dry-run").out
    toml(desk, 'base_url = "https://videos.example"', 'rate = "2/s"')
    said = desk.give("run", manifest, "--dry-run")
    assert "service https://videos.example (batchgen.toml)" in said.out
    assert "batchgen.toml sets base_url = https://videos.example, rate = 2/s" in said.out


def test_a_trust_file_that_is_damaged_is_a_sentence_not_a_yes(desk: Desk, _home: Path) -> None:
    file = trust.trust_file()
    file.parent.mkdir(parents=True)
    for text in ("{", '{"trusted": [1]}', "[]", json.dumps({"trusted": [{"service": "gateway"}]})):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="can't be read"):
            trust.trusted()


@pytest.mark.parametrize("host", ["", "ftp://x", "https://x/path", "https://"])
def test_only_a_host_can_be_trusted(host: str, desk: Desk) -> None:
    assert desk.give("config", "trust", host).exit == 2
    assert trust.trusted() == []


@given(
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9-]{0,10}(\.[a-z]{2,5})?", fullmatch=True),
    st.none() | st.integers(1, 65535),
)
def test_one_origin_has_one_spelling(scheme: str, host: str, port: int | None) -> None:
    url = f"{scheme}://{host}" + (f":{port}" if port else "")
    assert origin_of(url) == origin_of(url.upper().replace("HTTP", "http").replace("S://", "s://") + "/v1/x?y=1")
    assert origin_of(origin_of(url)) == origin_of(url)


def test_settings_of_a_folder_keep_their_origin(desk: Desk) -> None:
    toml(desk, 'rate = "2/s"', "burst = 3")
    config = Config.load({"burst": 4}, environment={})
    assert (config.from_folder("rate"), config.from_folder("burst")) == ("batchgen.toml", "")
