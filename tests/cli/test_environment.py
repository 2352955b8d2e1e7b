"""The environment: each flag has a variable, a key may lie in a file, and what is another's is passed over."""

from pathlib import Path

import pytest
from desk import KEY, Desk

from batchgen.cli import COMMANDS, cli
from batchgen.running.environment import FLAGS, variable
from batchgen.running.settings import SETTINGS

ONE = "one,kie,m,text-to-video,a"


@pytest.mark.parametrize("service", ["BATCHGEN", "BATCHGEN_WEB", "BATCHGEN_PORT", "BATCHGEN_SERVICE"])
@pytest.mark.parametrize("address", ["10.0.171.239", "fd00::1"])
def test_what_kubernetes_says_of_a_service_called_batchgen_is_let_through(
    service: str, address: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = f"[{address}]" if ":" in address else address
    for name, value in {
        "SERVICE_HOST": address,
        "SERVICE_PORT": "80",
        "SERVICE_PORT_HTTP": "80",
        "PORT": f"tcp://{shown}:80",
        "PORT_80_TCP": f"tcp://{shown}:80",
        "PORT_80_TCP_PROTO": "tcp",
        "PORT_80_TCP_PORT": "80",
        "PORT_80_TCP_ADDR": address,
    }.items():
        monkeypatch.setenv(f"{service}_{name}", value)
    desk.jobs("m.csv", "a")
    assert desk.give("validate", "m.csv").exit == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("BATCHGEN_PORT", "10"), ("BATCHGEN_PORT", "http://10.0.0.1:80"), ("BATCHGEN_MAX_SERVICE_PORT", "none"),
     ("BATCHGEN_SERVICE_HOST", "sk-canary"), ("BATCHGEN_PORT_80_TCP", "80"), ("BATCHGEN_CAP_PORTS", "80")],
)  # fmt: skip
def test_a_variable_that_only_resembles_one_of_kubernetes_is_refused(
    name: str, value: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    desk.jobs("m.csv", "a")
    said = desk.give("validate", "m.csv")
    assert said.exit == 2
    assert f"There is no setting for the environment variable {name}." in said.err
    assert "canary" not in said.err


@pytest.mark.parametrize("name", ["BATCHGEN_YES", "BATCHGEN_ON_END"])
def test_what_only_a_person_may_say_has_no_variable(name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    desk.jobs("m.csv", "a")
    with desk.service() as server:
        said = desk.give("run", "m.csv")
        assert server.audit().posts == []
    assert said.exit == 2
    assert "by the flag only" in said.err


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_key_in_a_file_is_used_without_its_final_newline(
    ending: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.jobs("m.csv", "a")
    secret = desk.folder / "secret"
    secret.write_bytes((KEY + ending).encode())
    with desk.service() as server:
        monkeypatch.delenv("BATCHGEN_API_KEY")
        monkeypatch.setenv("BATCHGEN_API_KEY_FILE", str(secret))
        said = desk.give("run", "m.csv", "--yes", "--no-download")
        assert [post.task_id is not None for post in server.audit().posts] == [True]
    assert said.exit == 0
    assert desk.give("config", "--json").json["api_key"] == {"set": True, "origin": "BATCHGEN_API_KEY_FILE"}


def test_two_keys_are_refused_before_anything_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.jobs("m.csv", "a")
    (desk.folder / "secret").write_text("sk-other-0123456789", encoding="utf-8")
    with desk.service() as server:
        monkeypatch.setenv("BATCHGEN_API_KEY_FILE", "secret")
        said = desk.give("run", "m.csv", "--yes", "--json")
        assert server.audit().posts == []
    assert (said.exit, said.json["error"]["code"]) == (2, "bad_setting")
    assert "both set" in said.json["error"]["message"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"sk-\xff-canary-0123456789", b"two words-canary-012345"])
def test_a_key_file_without_a_key_is_refused_and_not_shown(
    content: bytes | None, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.jobs("m.csv", "a")
    if content is not None:
        (desk.folder / "secret").write_bytes(content)
    with desk.service() as server:
        monkeypatch.delenv("BATCHGEN_API_KEY")
        monkeypatch.setenv("BATCHGEN_API_KEY_FILE", "secret")
        said = desk.give("run", "m.csv", "--yes")
        assert server.audit().posts == []
    assert said.exit == 2
    assert "canary" not in said.out + said.err


def test_out_may_be_named_by_the_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for several manifests, which have no folder of their own; a flag comes first."""
    desk.write("a.csv", ONE)
    desk.write("b.csv", ONE.replace("one", "two"))
    monkeypatch.setenv("BATCHGEN_OUT", "kept")
    assert desk.give("estimate", "a.csv", "b.csv", "--json").json["to_pay"]["jobs"] == 2, "no ledger there yet"
    with desk.service():
        assert desk.give("run", "a.csv", "b.csv", "--yes", "--no-download").exit == 0
        assert len(desk.read_ledger("kept", "SELECT * FROM task")) == 2
        assert desk.give("estimate", "a.csv", "b.csv", "--json").json["to_pay"]["jobs"] == 0
        assert desk.give("run", "a.csv", "--out", "other", "--yes", "--no-download").exit == 0
        assert len(desk.read_ledger("other", "SELECT * FROM task")) == 1
    monkeypatch.setenv("BATCHGEN_OUT", "a.csv")
    assert "a file, not a folder" in desk.give("run", "b.csv", "--dry-run").err


def test_flags_have_variables_and_a_flag_comes_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write("m.csv", "a,kie,m,text-to-video,x y", "b,kie,m,text-to-video,z")
    monkeypatch.setenv("BATCHGEN_DRY_RUN", "true")
    monkeypatch.setenv("BATCHGEN_SELECT", "prompt=x y\nid=a")
    document = desk.give("run", "m.csv", "--json").json
    assert document["plan"]["submit"]["jobs"] == 1
    assert desk.give("run", "m.csv", "--json", "--select", "id=*").json["plan"]["submit"]["jobs"] == 2
    monkeypatch.setenv("BATCHGEN_LIMIT", "soon")
    assert desk.give("run", "m.csv").exit == 2


def test_must_resume_begins_no_new_ledger(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that lost OUT would buy everything again; with --must-resume it refuses instead."""
    desk.jobs("m.csv", "a")
    with desk.service() as server:
        for arguments in (["--yes"], ["--dry-run"]):
            said = desk.give("run", "m.csv", "--must-resume", "--json", *arguments)
            assert (said.exit, said.json["error"]["code"]) == (2, "must_resume")
        assert not (desk.folder / "outputs").exists()
        assert desk.give("run", "m.csv", "--yes", "--no-download").exit == 0
        monkeypatch.setenv("BATCHGEN_MUST_RESUME", "1")
        desk.jobs("m.csv", "a", "b")
        assert desk.give("run", "m.csv", "--yes", "--no-download").exit == 0
        assert len(server.audit().posts) == 2


def test_each_variable_of_a_flag_is_one_of_a_command() -> None:
    """A variable that is accepted and read by nobody would be passed over in silence."""
    import click

    context = click.Context(cli)
    named: set[str] = set()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        named |= {str(option.name) for option in command.params}
    assert set(FLAGS) <= named
    assert not set(FLAGS) & set(SETTINGS)


def test_the_docs_name_every_variable() -> None:
    page = (Path(__file__).parents[2] / "docs" / "use" / "pipeline.md").read_text(encoding="utf-8")
    for name in (*FLAGS, "api_key_file"):
        assert f"`{variable(name)}`" in page, variable(name)
