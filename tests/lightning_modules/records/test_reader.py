"""Runs of this version, of those before, and of versions to come."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_modules import GTMM, VRNN
from lightning_modules.declarations import Measure
from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import write_json
from memory_cores import NTM, NoMemory

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
    content = json.loads((folder / "results.json").read_text())
    content |= {"declared": INVENTED.to_json(), "model": "Invented"}
    content["scalars"]["joy"] = 0.75
    (folder / "results.json").write_text(json.dumps(content))
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
    (folder / "model.json").write_text('{"model": "Invented"')
    (no_runs, (problem,)) = read_runs([folder])
    assert no_runs == [] and problem.reason == "is damaged: no JSON, or half of it"
    (folder / "model.json").write_text('{"model": "Invented", "family": 3}')
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
    text = (folder / "results.json").read_text().replace("ASNP", "SNP")
    (folder / "results.json").write_text(text)
    ((run,), _) = read_runs([folder])
    assert (run.contestant, run.declared.colour) == ("SNP", "#4D4D4D")


def test_a_model_that_is_gone_is_named(runs, tmp_path: Path) -> None:
    folder = runs.frames("DNC", 0)
    text = (folder / "results.json").read_text().replace("GTMM", "Gone")
    (folder / "results.json").write_text(text)
    found = read_runs([folder])
    assert "is of a model that is not known here, Gone" in {p.reason for p in found.problems}


@pytest.mark.parametrize("memory", [{"class_path": "memory_cores.NoMemory"}, None])
def test_a_vrnn_has_no_choice_of_a_core(runs, memory) -> None:
    folder = runs.frames("NoMemory", 0)
    content = json.loads((folder / "results.json").read_text())
    content["model"] = "VRNN"
    content["settings"]["model"]["init_args"] = {"memory": memory} if memory else {}
    (folder / "results.json").write_text(json.dumps(content))
    ((run,), _) = read_runs([folder])
    assert run.family == VRNN.family() and run.declared.colour == NoMemory.look.colour
    assert ("model.memory" in run.settings) == bool(memory)
