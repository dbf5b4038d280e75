"""Runs of this version, of older and of newer ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules import GTMM, VRNN
from lightning_modules.declarations import Measure
from lightning_modules.records.groups import by_group
from lightning_modules.records.kept import record_of
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
    """Results contain the model's declarations, whether or not its class exists here."""
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
    assert run.facts == {}
    sizes = {"parameters": 1_000, "state_size": None}
    write_json(folder / "model.json", INVENTED.to_json() | sizes)
    assert read_runs([folder]).runs[0].facts == sizes
    (folder / "model.json").write_text('{"model": "Invented"', encoding="utf-8")
    (no_runs, (problem,)) = read_runs([folder])
    assert no_runs == [] and problem.reason == "is damaged: it is not JSON, or incomplete"
    (folder / "model.json").write_text('{"model": "Invented", "family": 3}', encoding="utf-8")
    (_, (problem,)) = read_runs([folder])
    assert problem.reason == "does not have the form that runs write"


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
    assert "is of an unknown model, Gone" in reasons


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
    reasons = {problem.path: problem.reason for problem in found.problems}
    assert reasons == {folder / "results.json": "does not have the form that runs write"}
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


def change(path: Path, **values: Any) -> None:
    """Replace values in a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **values}), encoding="utf-8")


@pytest.mark.parametrize("name", ["results.json", "model.json"])
def test_a_run_of_a_newer_version_is_one_line(runs, name: str) -> None:
    newer, other = runs.frames("DNC", 0), runs.frames("DNC", 1)
    write_json(newer / "model.json", INVENTED.to_json())
    change(newer / name, format=2)
    found = read_runs([runs.root])
    assert [run.folder for run in found.runs] == [other]
    reason = (
        "was written by a newer version of this code: its format is 2, and this version reads 1"
    )
    assert found.problems == [(newer, reason)]


def test_a_kept_record_of_a_newer_version_is_one_line(runs, tmp_path: Path) -> None:
    (run,) = read_runs([runs.frames("DNC", 3)]).runs
    (tmp_path / "3.json").write_text(record_of(run), encoding="utf-8")
    assert json.loads((tmp_path / "3.json").read_text(encoding="utf-8"))["format"] == 1
    assert [run.seed for run in read_runs([tmp_path / "3.json"]).runs] == [3]
    change(tmp_path / "3.json", format=2)
    (no_runs, (problem,)) = read_runs([tmp_path / "3.json"])
    assert no_runs == [] and "newer version" in problem.reason


@pytest.mark.parametrize("content, first, trained", [({}, 10, 1000), ({"format": 1}, 9, 999)])
def test_learning_is_drawn_at_trained_steps(runs, content, first: int, trained: int) -> None:
    """Versions whose files have no format logged one step too few."""
    folder = runs.frames("DNC", 0)
    (folder / "results.json").unlink()
    write_json(folder / "model.json", {**content, **INVENTED.to_json()})
    ((run,), _) = read_runs([folder])
    assert run.history is not None and run.history.steps[0] == first
    assert run.training_steps == trained


@pytest.mark.parametrize("changes, reason", [
    ({"seed": "x"}, "its seed is not a whole number, 'x'"),
    ({"seed": [1]}, "its seed is not a whole number"),
    ({"global_step": -1}, "not have the form"),
    ({"memory": []}, "its memory is not the name of a class"),
    ({"curves": {"kl": []}}, "not have the form"),
    ({"curves": {"kl": [[1.0]]}}, "not have the form"),
    ({"scalars": {"bound": "5"}}, "not have the form"),
    ({"settings": {"model": 3, "data": {}}}, "no class of the model"),
    ({"data": {"source": 3, "test_sha256": "x"}}, "not have the form"),
])  # fmt: skip
def test_odd_values_are_named_and_the_validations_shown(runs, changes, reason: str) -> None:
    folder = runs.frames("DNC", 0)
    change(folder / "results.json", **changes)
    ((run,), (problem,)) = read_runs([folder])
    assert run.tested is None and run.history is not None
    assert problem.path == folder / "results.json" and reason in problem.reason


GTMM_ON_B = "model: {class_path: lightning_modules.GTMM}\ndata: {class_path: a.B}\n"


@pytest.mark.parametrize("text, reason", [
    ("model: {class_path: a.B}", "name no class of the data"),
    ("model: {class_path: a.}\ndata: {class_path: a.B}", "its model is not a class"),
    ("model: {class_path: a.B, init_args: [1]}\ndata: {class_path: a.B}", "its model is not a"),
    (GTMM_ON_B + "trainer: 3", "its trainer's settings are not a mapping"),
    (GTMM_ON_B + "seed_everything: [1]", "its seed is not a whole number"),
    ("model: &m {class_path: a.B, init_args: *m}\ndata: *m", "nested too deeply"),
    ("1: 2", "a key is not text, 1"),
    ("a: 2026-13-45", "not YAML"),
])  # fmt: skip
def test_odd_settings_are_named(runs, text: str, reason: str) -> None:
    folder, other = runs.frames("DNC", 0), runs.frames("DNC", 1)
    (folder / "results.json").unlink()
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    found = read_runs([runs.root])
    assert [run.folder for run in found.runs] == [other]
    (problem,) = found.problems
    assert problem.path == folder / "config.yaml" and reason in problem.reason


@pytest.mark.parametrize("changes", [
    {"better": "sideways"}, {"digits": -3}, {"digits": True}, {"headline": -1}, {"benchmarks": [3]},
])  # fmt: skip
def test_measures_that_no_table_could_show_are_refused(runs, changes) -> None:
    folder = runs.frames("DNC", 0)
    declared = json.loads(json.dumps(INVENTED.to_json()))
    declared["family"]["measures"][0] |= changes
    change(folder / "results.json", declared=declared)
    (_, (problem,)) = read_runs([folder])
    assert problem == (folder / "results.json", "does not have the form that runs write")
