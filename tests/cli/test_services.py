"""One manifest at the services behind the gateway: who gets which key, what it costs, what is refused before."""

import csv
import json
from pathlib import Path

import pytest
from desk import Desk
from vendors import Vendor, vendor

KEYS = {
    "fal": ("FAL_KEY", "fal-canary-12345678"),
    "kie": ("KIE_API_KEY", "kie-canary-12345678"),
    "ark": ("ARK_API_KEY", "ark-canary-12345678"),
    "replicate": ("REPLICATE_API_TOKEN", "rep-canary-12345678"),
    "litellm": ("LITELLM_API_KEY", "sk-1234"),
    "openai-videos": ("OPENAI_VIDEOS_API_KEY", "sk-9876"),
}
MODELS = {
    "fal": "bytedance/seedance-2.0/text-to-video",
    "kie": "bytedance/seedance-2",
    "ark": "seedance-1-5-pro-251215",
    "replicate": "bytedance/seedance-1-pro",
    "litellm": "runwayml/gen4_turbo",
    "openai-videos": "wan-2.2",
}
HEADER = "id,model,scene,prompt,options.duration,campaign"
PRICES = (
    '[prices."kie/bytedance/seedance-2"]\nper_second = 1.5\n'
    '[prices."replicate/bytedance/seedance-1-pro"]\nper_video = 0.30\n'
    '[prices."openai-videos/wan-2.2"]\nper_second = 0.01\n'
)


@pytest.fixture(autouse=True)
def _every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHGEN_API_KEY", "gateway-canary-12345678")
    for variable, key in KEYS.values():
        monkeypatch.setenv(variable, key)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def manifest(desk: Desk, service: str, *more: str) -> Path:
    (desk.folder / "batchgen.toml").write_text(PRICES)
    model = MODELS[service]
    jobs = [
        f"a,{model},text-to-video,A glass city,5,spring",
        f"b,{model},text-to-video,A glass city at night,5,spring",
    ]
    return desk.write("spring.csv", *jobs, *more, header=HEADER)


def bought(desk: Desk, service: str, server: Vendor, *more: str) -> dict:
    name = next((word for word in more if word.endswith(".csv")), "spring.csv")
    options = [word for word in more if word != name]
    said = desk.give(
        "run", name, "--service", service, "--base-url", server.base_url, "--yes", "--json", *options
    )  # fmt: skip
    return {"said": said, **(json.loads(said.out) if said.out else {})}


@pytest.mark.parametrize("service", KEYS)
def test_the_same_manifest_becomes_videos_at_every_service(desk: Desk, service: str) -> None:
    manifest(desk, service)
    with vendor(service) as server:
        ended = bought(desk, service, server)
        assert ended["exit"] == 0, ended["said"].err
        assert len(server.posts) == 2
        desk.give("run", "spring.csv", "--service", service, "--base-url", server.base_url, "--yes")
        assert len(server.posts) == 2, "what was paid is not paid again"
    out = desk.folder / f"outputs/spring-{service}"
    lines = rows(out / "results.csv")
    assert [line["state"] for line in lines] == ["succeeded", "succeeded"]
    assert [line["provider"] for line in lines] == [service, service]
    assert all((out / line["video_path"]).read_bytes()[4:8] == b"ftyp" for line in lines)


@pytest.mark.parametrize("service", KEYS)
def test_a_key_goes_to_its_own_service_and_nowhere_else(desk: Desk, service: str) -> None:
    manifest(desk, service)
    with vendor(service) as server:
        bought(desk, service, server)
        seen = [(headers, body) for _, headers, body in server.posts]
        asked = [headers for path, headers in server.gets if not path.startswith("/files/")]
        files = [headers for path, headers in server.gets if path.startswith("/files/")]
    word = "Key" if service == "fal" else "Bearer"
    assert {headers["authorization"] for headers, _ in seen} == {f"{word} {KEYS[service][1]}"}
    assert {headers["authorization"] for headers in asked} == {f"{word} {KEYS[service][1]}"}
    assert not [headers for headers in files if "authorization" in headers], "a file host gets no key"
    others = ["gateway-canary", *(key for name, (_, key) in KEYS.items() if name != service)]
    everything = repr(seen) + repr(asked) + repr(files)
    assert not [key for key in others if key in everything]
    for path in (desk.folder / "outputs").rglob("*"):
        if path.is_file():
            assert KEYS[service][1].encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("service", ["fal", "kie", "ark", "replicate"])
def test_without_its_key_a_service_is_not_used(desk: Desk, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEYS[service][0])
    manifest(desk, service)
    said = desk.give("run", "spring.csv", "--service", service, "--yes")
    assert said.exit == 2
    assert KEYS[service][0] in said.err


def test_a_service_on_this_machine_needs_no_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_VIDEOS_API_KEY")
    manifest(desk, "openai-videos")
    with vendor("openai-videos") as server:
        ended = bought(desk, "openai-videos", server, "--no-download")
        assert ended["exit"] == 0, ended["said"].err
        assert "authorization" not in server.posts[0][1]


def test_openai_videos_must_be_told_its_address(desk: Desk) -> None:
    manifest(desk, "openai-videos")
    said = desk.give("run", "spring.csv", "--service", "openai-videos", "--yes")
    assert said.exit == 2
    assert "--base-url" in said.err


def test_there_is_no_such_service(desk: Desk) -> None:
    manifest(desk, "fal")
    said = desk.give("run", "spring.csv", "--service", "fall", "--yes")
    assert said.exit == 2
    assert "gateway, fal, kie" in said.err


# -- money --------------------------------------------------------------------------------------------------------


def test_dollars_are_exact_and_named_in_json_and_results(desk: Desk) -> None:
    model = "bytedance/seedance-2.0/text-to-video"
    desk.write("spring.csv", *(f"{n},{model},text-to-video,City {n},7,x" for n in range(3)), header=HEADER)
    estimate = desk.give("estimate", "spring.csv", "--service", "fal", "--json").json
    assert "credits" not in json.dumps(estimate)
    assert estimate["usd"] == 6.3714, "0.3034 x 7 x 3"
    assert estimate["to_pay"] == {"jobs": 3, "usd": 6.3714}
    with vendor("fal") as server:
        ended = bought(desk, "fal", server, "--no-download", "--max-usd", "6.3714")
        assert ended["exit"] == 0, ended["said"].err
    assert ended["usd"] == {
        "estimated": 6.3714, "charged": 6.3714, "refunded": 0, "reserved": 0, "in_doubt": 0, "cap": 6.3714,
    }  # fmt: skip
    lines = rows(desk.folder / "outputs/spring-fal/results.csv")
    assert [line["charged_usd"] for line in lines] == ["2.1238"] * 3
    assert "charged_credits" not in lines[0]
    assert desk.read_ledger("outputs/spring-fal", "SELECT charged FROM account") == [(6371400,)]
    assert desk.give("status", "outputs/spring-fal", "--json").json["usd"]["charged"] == 6.3714


def test_a_millionth_below_the_price_the_cap_refuses(desk: Desk) -> None:
    manifest(desk, "fal")
    said = desk.give("run", "spring.csv", "--service", "fal", "--yes", "--max-usd", "3.033999")
    assert said.exit == 4
    assert "$3.034" in said.err


@pytest.mark.parametrize(
    ("service", "wrong"), [("fal", "--max-credits"), ("kie", "--max-usd"), ("gateway", "--max-usd")]
)
def test_a_cap_in_another_unit_is_refused(desk: Desk, service: str, wrong: str) -> None:
    desk.write("spring.csv", "a,kie,m,text-to-video,A city")
    said = desk.give("run", "spring.csv", "--service", service, wrong, "5", "--yes", "--sandbox", "--json")
    assert said.exit == 2
    assert said.json["error"]["code"] == "wrong_unit"


def test_kie_counts_credits_in_thousandths(desk: Desk) -> None:
    manifest(desk, "kie")
    with vendor("kie") as server:
        ended = bought(desk, "kie", server, "--no-download", "--max-credits", "15")
        assert ended["exit"] == 0, ended["said"].err
    assert ended["credits"]["charged"] == 15
    assert desk.read_ledger("outputs/spring-kie", "SELECT charged FROM account") == [(15000,)]


def test_a_price_that_is_not_known_gives_no_total_and_no_post(desk: Desk) -> None:
    desk.write("spring.csv", "a,nobody/knows-it,text-to-video,A glass city,5,x", header=HEADER)
    estimate = desk.give("estimate", "spring.csv", "--service", "fal", "--json")
    assert (estimate.exit, estimate.json["complete"]) == (3, False)
    assert "nobody/knows-it" in estimate.json["problems"][0]["message"]
    assert desk.give("validate", "spring.csv", "--service", "fal").exit == 0, "an unknown model is a warning"
    with vendor("fal") as server:
        ended = bought(desk, "fal", server)
        assert ended["said"].exit == 3
        (desk.folder / "batchgen.toml").write_text('[prices."fal/nobody/knows-it"]\nper_second = 0.05\n')
        ended = bought(desk, "fal", server, "--no-download")
        assert (ended["exit"], ended["usd"]["charged"]) == (0, 0.25)
        assert len(server.posts) == 1


def test_litellm_s_stated_cost_is_booked(desk: Desk) -> None:
    desk.write("spring.csv", f"a,{MODELS['litellm']},text-to-video,A city,5,x", header=HEADER)
    with vendor("litellm", headers={"x-litellm-response-cost": "0.2499"}) as server:
        ended = bought(desk, "litellm", server, "--no-download")
    assert (ended["usd"]["estimated"], ended["usd"]["charged"]) == (0.25, 0.2499)


# -- rows ---------------------------------------------------------------------------------------------------------


def test_rows_of_another_provider_are_chosen_away(desk: Desk) -> None:
    fal, kie = MODELS["fal"], MODELS["kie"]
    desk.write(
        "both.csv",
        f"a,fal,{fal},text-to-video,A glass city,5",
        f"b,kie,{kie},text-to-video,A glass city,5",
        f"c,,{fal},text-to-video,A glass city at night,5",
        header="id,provider,model,scene,prompt,options.duration",
    )
    found = desk.give("validate", "both.csv", "--service", "fal", "--json")
    assert [(one["row"], one["code"]) for one in found.json["problems"]] == [(2, "other_provider")]
    assert "--select provider=fal" in found.json["problems"][0]["hint"]
    with vendor("fal") as server:
        said = desk.give(
            "run", "both.csv", "--service", "fal", "--base-url", server.base_url, "--select", "provider=fal",
            "--yes", "--no-download",
        )  # fmt: skip
        assert said.exit == 0, said.err
        assert len(server.posts) == 2, "a blank provider is the service's name"


def test_a_blank_provider_and_the_service_s_name_are_one_job(desk: Desk) -> None:
    model = MODELS["fal"]
    header = "provider,model,scene,prompt,options.duration"
    desk.write("blank.csv", f",{model},text-to-video,A city,5", header=header)
    desk.write("named.csv", f"fal,{model},text-to-video,A city,5", header=header)
    with vendor("fal") as server:
        for name in ("blank.csv", "named.csv"):
            said = desk.give(
                "run", name, "--service", "fal", "--base-url", server.base_url, "--yes", "--out", "o",
                "--no-download",
            )  # fmt: skip
            assert said.exit == 0, said.err
        assert len(server.posts) == 1
    (line,) = rows(desk.folder / "o/results.csv")
    with vendor("gateway") as gateway:
        del gateway
    assert line["job_id"] == rows(desk.folder / "o/results.csv")[0]["job_id"]


def test_a_value_that_the_model_does_not_take_is_a_problem_with_its_cell(desk: Desk) -> None:
    desk.write("spring.csv", f"a,{MODELS['fal']},text-to-video,A glass city,99,x", header=HEADER)
    (problem,) = desk.give("validate", "spring.csv", "--service", "fal", "--json").json["problems"]
    assert (problem["code"], problem["cell"], problem["column"]) == ("bad_option", "E2", "options.duration")
    assert "auto, 4, 5, 6" in problem["hint"]


def test_a_model_that_is_gone_is_a_warning_with_its_date(desk: Desk) -> None:
    desk.write("spring.csv", "a,fal-ai/sora-2/text-to-video/pro,text-to-video,A city,4,x", header=HEADER)
    found = desk.give("validate", "spring.csv", "--service", "fal", "--json").json
    assert "2026-09-24" in next(one["message"] for one in found["warnings"] if one["code"] == "dead_model")


def test_a_folder_belongs_to_one_service(desk: Desk) -> None:
    manifest(desk, "fal")
    with vendor("fal") as server:
        bought(desk, "fal", server, "--no-download", "--out", "o")
    said = desk.give("run", "spring.csv", "--service", "kie", "--yes", "--out", "o")
    assert said.exit == 2
    assert "--service fal" in said.err


# -- pace ---------------------------------------------------------------------------------------------------------


def test_a_model_that_answers_only_429_leaves_its_rows_for_later_and_lets_the_others_go_on(desk: Desk) -> None:
    full, free = "bytedance/seedance-2.0/text-to-video", "bytedance/seedance-2.5/text-to-video"
    jobs = [f"f{n},{full},text-to-video,City {n},5,x" for n in range(3)]
    desk.write("m.csv", *jobs, *(f"g{n},{free},text-to-video,City {n},5,x" for n in range(3)), header=HEADER)
    with vendor("fal") as server:
        server.full = "/" + full
        ended = bought(desk, "fal", server, "m.csv", "--no-download", "--out", "o", "--park-after", "1s")
        assert {path for path, _, _ in server.posts if path != server.full} == {"/" + free}
    assert ended["exit"] == 7, ended["said"].err
    assert ended["states"] == {"not_submitted": 3, "succeeded": 3}
    lines = {line["job_id"]: line for line in rows(desk.folder / "o/results.csv")}
    assert lines["f0"]["error_code"] == "parked"
    assert full in lines["f0"]["error"]


# -- doubts -------------------------------------------------------------------------------------------------------


def doubtful(desk: Desk, server: Vendor, *more: str) -> dict:
    model = MODELS["fal"]
    desk.write("m.csv", *(f"j{n},{model},text-to-video,City {n},5,x" for n in range(4)), header=HEADER)
    return bought(desk, "fal", server, "m.csv", "--no-download", "--out", "o", "--max-in-flight", "1", *more)


def test_a_lost_answer_is_settled_by_the_service_s_own_list_at_the_end_of_the_run(desk: Desk) -> None:
    with vendor("fal") as server:
        server.lost, server.page = {2, 3}, 1
        ended = doubtful(desk, server)
        assert len(server.posts) == 4
    assert ended["exit"] == 0, ended["said"].err
    assert ended["usd"]["in_doubt"] == 0
    assert {line["task_id"] for line in rows(desk.folder / "o/results.csv")} == {"r1", "r2", "r3", "r4"}


def test_what_the_list_does_not_prove_stays_with_a_person(desk: Desk) -> None:
    with vendor("fal") as server:
        server.lost, server.unlisted, server.listed_again = {2, 3}, {2}, [3]
        ended = doubtful(desk, server)
        assert ended["exit"] == 5
        assert ended["states"] == {"in_doubt": 2, "succeeded": 2}
        said = desk.give("resolve", "o", "--auto", "--base-url", server.base_url)
        assert said.exit == 5
        assert "again3" in said.out, "the candidates are shown"
        server.unlisted, server.listed_again = set(), []
        assert desk.give("resolve", "o", "--auto", "--base-url", server.base_url).exit == 0
        assert len(server.posts) == 4, "no POST is ever made for a doubt"
