"""--select takes the same rows wherever it is said."""

import json

import pytest
from desk import Desk

YAML = """
version: 1
defaults: {provider: kie, model: m, scene: text-to-video}
jobs:
- {id: short, prompt: one, options: {duration: "5", seed: 7}}
- {id: long, prompt: two, options: {duration: "10", seed: 7}}
"""
JSONL = (
    '{"id": "short", "provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "one",'
    ' "options": {"duration": "5", "seed": 7}}\n'
    '{"id": "long", "provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "two",'
    ' "options": {"duration": "10", "seed": 7}}\n'
)
TYPED = (
    "id,provider,model,scene,prompt,options.duration,options.seed:int\n"
    "short,kie,m,text-to-video,one,5,7\nlong,kie,m,text-to-video,two,10,7\n"
)
WHOLE = (
    "id;provider;model;scene;prompt;options\n"
    'short;kie;m;text-to-video;one;{"duration": "5", "seed": 7}\n'
    'long;kie;m;text-to-video;two;{"duration": "10", "seed": 7}\n'
)
MANIFESTS = {"shots.yaml": YAML, "shots.jsonl": JSONL, "typed.csv": TYPED, "whole.csv": WHOLE}


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize(
    ("conditions", "jobs"),
    [(["options.duration=5"], 1), (["options.seed=7"], 2), (["options.seed=7", "options.duration=1*"], 1)],
)
def test_an_option_is_selected_alike_by_every_command_in_every_format(
    desk: Desk, name: str, conditions: list[str], jobs: int
) -> None:
    (desk.folder / name).write_text(MANIFESTS[name], encoding="utf-8")
    select = [word for one in conditions for word in ("--select", one)]
    assert desk.give("validate", name, "--json", *select).json["valid"] == jobs
    assert desk.give("estimate", name, "--json", *select).json["jobs"] == jobs
    assert desk.give("run", name, "--dry-run", "--json", *select).json["plan"]["submit"]["jobs"] == jobs


def test_a_selected_column_that_no_manifest_has_is_said(desk: Desk) -> None:
    desk.write("shots.csv", "a,kie,m,text-to-video,one,5", header="id,provider,model,scene,prompt,options.duration")
    said = desk.give("run", "shots.csv", "--dry-run", "--json", "--select", "options.duratoin=5")
    assert (said.exit, json.loads(said.out)["error"]["code"]) == (2, "no_such_column")
