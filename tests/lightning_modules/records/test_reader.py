"""Runs of this version, of those before, and of versions to come."""

import json
from dataclasses import replace

import pytest
import yaml

from lightning_modules import GTMM, VRNN
from lightning_modules.declarations import Measure
from lightning_modules.records.groups import by_group
from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import write_json
from memory_cores import NTM, NoMemory
from memory_cores.parts.palette import NEUTRAL

INVENTED = DeclaredModel(
    model="Invented",
    core="Core",
    contestant="Core",
    colour="#123456",
    marker="h",
    family=replace(
        GTMM.family(),
        name="invented models",
        measures=(*GTMM.family().measures, Measure("joy", "fun", "-", "higher", header="Joy")),
    ),
)


def test_a_tested_run_needs_no_model(runs) -> None:
    """Its results carry what its model declared, whether or not this code knows the class."""
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content |= {"declared": INVENTED.to_json(), "model": "Invented"}
    content["scalars"]["joy"] = 0.75
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    ((run,), problems) = read_runs([folder])
    assert problems == [] and run.declared == INVENTED
    assert run.scalar("joy") == 0.75
    assert [column.header for column in run.family.columns][-1] == "Joy"


def test_a_fitted_run_needs_no_model(runs) -> None:
    folder = runs.frames("DNC", 0)
    (folder / "results.json").unlink()
    write_json(folder / "model.json", INVENTED.to_json())
    ((run,), problems) = read_runs([folder])
    assert problems == [] and run.declared == INVENTED and run.tested is None
    (folder / "model.json").write_text('{"model": "Invented"', encoding="utf-8")
    (no_runs, (problem,)) = read_runs([folder])
    assert no_runs == [] and problem.reason == "is damaged: no JSON, or half of it"
    (folder / "model.json").write_text('{"model": "Invented", "family": 3}', encoding="utf-8")
    (_, (problem,)) = read_runs([folder])
    assert problem.reason == "has another form than what runs write"


def test_runs_from_before_are_declared_by_their_classes(runs) -> None:
    tested, fitted = runs.frames("NTM", 0), runs.frames("NTM", 1)
    (fitted / "results.json").unlink()
    for run in read_runs([tested, fitted]).runs:
        assert (run.declared.core, run.declared.colour) == ("NTM", NTM.look.colour)
        assert run.family == GTMM.family()


def test_a_baseline_from_before_is_its_own_contestant(runs) -> None:
    folder = runs.functions("ContextWindow", 0)
    text = (folder / "results.json").read_text(encoding="utf-8").replace("ASNP", "SNP")
    (folder / "results.json").write_text(text, encoding="utf-8")
    ((run,), _) = read_runs([folder])
    assert (run.contestant, run.declared.colour) == ("SNP", "#4D4D4D")


def test_a_model_that_is_gone_is_known_by_what_was_measured(runs) -> None:
    folder = runs.frames("DNC", 0)
    text = (folder / "results.json").read_text(encoding="utf-8")
    (folder / "results.json").write_text(text.replace("GTMM", "Gone"), encoding="utf-8")
    ((run,), problems) = read_runs([folder])
    assert problems == [] and run.family == GTMM.family()
    assert (run.declared.colour, run.declared.marker) == NEUTRAL
    (folder / "results.json").write_text(
        text.replace("GTMM", "Gone").replace('"kl"', '"loss"'), encoding="utf-8"
    )
    reasons = {problem.reason for problem in read_runs([folder]).problems}
    assert "is of a model that is not known here, Gone" in reasons


def test_a_core_that_is_gone_looks_like_nobody(runs) -> None:
    folder = runs.frames("DNC", 0)
    text = (folder / "results.json").read_text(encoding="utf-8").replace("DNC", "Gone")
    (folder / "results.json").write_text(text, encoding="utf-8")
    ((run,), _) = read_runs([folder])
    assert run.contestant == "Gone" and run.declared.colour == NEUTRAL.colour


def test_baselines_from_before_are_one_group_whether_tested_or_not(runs) -> None:
    """Their config.yaml names no core."""
    for seed in (0, 1):
        folder = runs.frames("NoMemory", seed)
        for file in (folder / "results.json", folder / "config.yaml"):
            file.write_text(
                file.read_text(encoding="utf-8").replace("GTMM", "VRNN"), encoding="utf-8"
            )
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        config["model"]["init_args"] = {}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        content["settings"]["model"]["init_args"] = {}
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "results.json").unlink()
    (group,) = by_group(read_runs([runs.root]).runs)
    assert (group.label, group.contestant, len(group.runs)) == ("VRNN", "NoMemory", 2)


def test_later_training_changes_nothing_that_a_test_says(runs) -> None:
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["settings"]["trainer"] = {"max_steps": 500}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    (folder / "config.yaml").write_text(
        yaml.safe_dump({**config, "trainer": {"max_steps": 900}}), encoding="utf-8"
    )
    ((run,), _) = read_runs([folder])
    assert run.settings["trainer.max_steps"] == 500


DAMAGES = [
    ("colour", "red"),
    ("marker", "oo"),
    ("family", {**INVENTED.family.to_json(), "curves": []}),
    ("family", {**INVENTED.family.to_json(), "measures": [{"name": "kl", "digits": "x"}]}),
    ("family", {**INVENTED.family.to_json(), "name": 3}),
    ("family", None),
]


@pytest.mark.parametrize(("name", "value"), DAMAGES)
def test_a_damaged_declaration_is_a_problem_of_its_file(runs, name: str, value: object) -> None:
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    declared = {**INVENTED.to_json(), name: value}
    (folder / "results.json").write_text(
        json.dumps({**content, "declared": declared}), encoding="utf-8"
    )
    other = runs.frames("DNC", 1)
    found = read_runs([folder, other])
    said = {problem.path: problem.reason for problem in found.problems}
    assert said == {folder / "results.json": "has another form than what runs write"}
    write_json(other / "model.json", declared)
    (other / "results.json").unlink()
    assert [problem.path for problem in read_runs([other]).problems] == [other / "model.json"]


@pytest.mark.parametrize("memory", [{"class_path": "memory_cores.NoMemory"}, None])
def test_a_vrnn_has_no_choice_of_a_core(runs, memory) -> None:
    folder = runs.frames("NoMemory", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["model"] = "VRNN"
    content["settings"]["model"]["init_args"] = {"memory": memory} if memory else {}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    ((run,), _) = read_runs([folder])
    assert run.family == VRNN.family() and run.declared.colour == NoMemory.look.colour
    assert ("model.memory" in run.settings) == bool(memory)
