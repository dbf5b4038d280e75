"""Neural processes from `fit` to results, and usage errors."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from cli import ExperimentCLI, main
from datamodules import FunctionDataModule
from datamodules.points.curriculum import Stage
from datamodules.points.gaussian_process.oracle import FLOOR
from lightning_modules import ASNP
from lightning_modules.neural_processes.networks import LEAST_SIGMA
from tests.cli.commands import ROOT
from tests.datamodules.benchmarks import benchmarks

EXPERIMENT = "--config=conf/asnp_rmr_gp_transfer.yaml"
PAPER = "--config=conf/overlays/paper_neural_processes.yaml"
MISTAKES = {
    "--data.sequence_length=1": "data.context_steps must be at most 1, got 10",
    "--data.contexts=[5,100]": "data.most_points must be at least 101, got 51",
    "--data.contexts=[9,5]": "data.contexts must be an interval that starts at 1 or above, its "
    "lower end first, got (9, 5)\n",
    "--data.most_points=200": "data.most_points must be at most 100, got 200\n",
    "--data.test_length=0": "data.test_length must be at least 1, got 0\n",
    "--data.velocities=[0.1,.nan]": "data.velocities must be at least 0, got nan\n",
    "--data.velocities=[-1,0.1]": "data.velocities must be at least 0, got -1.0",
    "--data.regime=dense": "data.regime must be one of sparse, transfer, got dense",
    "--model.objective=bound": "model.objective must be one of elbo, paper, got bound",
    "--model.hidden_size=0": "model.hidden_size must be above 0, got 0",
    "--model.test_samples=0": "model.test_samples must be above 0, got 0",
    "--model.warm_up=-1": "model.warm_up must be at least 0, got -1",
    "--model.memory.key_range=0": "model.memory.key_range must be above 0, got 0.0\n",
    "--model.memory.key_range=-1": "model.memory.key_range must be above 0, got -1.0\n",
    "--model.memory.slots=0": "model.memory.slots must be at least 1, got 0",
    "--model.memory.attention=cosine": "model.memory.attention must be one of multihead, ",
    "--model=NeuralProcess": "model: there is no NeuralProcess",
    "--data=MNISTMaze": "data: ASNP cannot model the sequences of MNISTMaze\nvalid: "
    + ", ".join(sorted(kind.__name__ for kind in benchmarks(FunctionDataModule))),
}


def test_a_choice_besides_numbers(complaint: Callable[..., str]) -> None:
    said = complaint("fit", "--config=conf/asnp_w_gp_sparse.yaml", "--model.memory.slots=lots")
    assert "model.memory.slots must be one of all or a whole number, got lots" in said


@pytest.mark.parametrize("option", MISTAKES)
def test_mistake_is_named(complaint: Callable[..., str], option: str) -> None:
    assert MISTAKES[option] in complaint("fit", EXPERIMENT, option, "--trainer.fast_dev_run=2")


def test_a_test_set_of_one_step_is_measured(tiny: Callable[..., list[str]], runs: Path) -> None:
    main(tiny("fit", EXPERIMENT, "--data.test_length=1", "--trainer.max_steps=1"))
    main(["test", f"--ckpt_path={next(runs.rglob('last.ckpt'))}"])
    results = json.loads(next(runs.rglob("results.json")).read_text(encoding="utf-8"))
    assert len(results["curves"]["nll"]) == 1


STAGE_KEYS = "batches, sequence_length, context_steps, contexts, most_points"
STAGES = {
    "{contexts: [9, 5]}": "data.curriculum[1].contexts must be an interval that starts at 1 or "
    "above, its lower end first, got (9, 5)",
    "{sequence_length: 21}": "data.curriculum[1].sequence_length must be at most 20, got 21",
    "{context: [5, 9]}": f"data.curriculum[1] must have the keys {STAGE_KEYS}, got an unknown "
    "context",
    "{contexts: null}": f"data.curriculum[1] must have the keys {STAGE_KEYS}, got no contexts",
}


@pytest.mark.parametrize("change", STAGES)
def test_mistake_in_a_stage_is_named(complaint: Callable[..., str], change: str) -> None:
    stage = dict.fromkeys(Stage.__annotations__, 9) | {"contexts": [5, 8]}
    changed = {**stage, **yaml.safe_load(change)}
    changed = {key: value for key, value in changed.items() if value is not None}
    option = f"--data.curriculum={[stage, changed]}"
    said = complaint("fit", EXPERIMENT, option, "--trainer.fast_dev_run=2")
    assert said.splitlines()[-1] == f"error: {STAGES[change]}"


FIXED = {
    ("np", "memory", "DNC"): "NP has no such setting; ASNP takes any core",
    ("snp", "memory", "DNC"): "SNP has no such setting; ASNP takes any core",
    ("anp", "step_in_x", "true"): "ANP has no such setting; its value is fixed",
    ("snp", "recurrent_path", "true"): "SNP has no such setting; its value is fixed",
}


@pytest.mark.parametrize(("model", "name", "value"), FIXED)
def test_what_a_model_decides_on_is_no_choice(
    complaint: Callable[..., str], model: str, name: str, value: str
) -> None:
    option = f"--model.{name}={value}"
    mistake, valid = complaint("fit", f"--config=conf/{model}_gp_sparse.yaml", option).splitlines()
    assert mistake == f"error: model.{name}: {FIXED[model, name, value]}"
    assert name not in valid.removeprefix("valid: ").split(", ") and "hidden_size" in valid


def test_both_ablations_leave_nothing(complaint: Callable[..., str]) -> None:
    options = ("--model.memory.without_flow_tracking=true",)
    said = complaint("fit", EXPERIMENT, *options, "--model.memory.without_flow_interaction=true")
    assert "model.memory.without_flow_tracking must be false" in said


@pytest.mark.pictures
def test_a_run_is_trained_tested_and_generates(
    tiny: Callable[..., list[str]], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--run=a", f"--data.data_dir={tmp_path}", "--trainer.max_steps=2")
    ExperimentCLI(tiny("fit", EXPERIMENT, *options, "--trainer.val_check_interval=2"))
    run = runs / "asnp_rmr_gp_transfer" / "a"
    pictures = {path.name for path in (run / "pictures").iterdir()}
    assert {"functions.png", "nll_curve.png", "imaginary_keys.png"} <= pictures
    checkpoint = f"--ckpt_path={run}/checkpoints/best.ckpt"
    for subcommand in ("test", "predict"):
        main([subcommand, checkpoint])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    optimal = results["curves"]["optimal_nll"]
    assert len(optimal) == 4
    gap = results["scalars"]["nll"] - sum(optimal) / 4
    assert results["scalars"]["gap_nll"] == pytest.approx(gap, rel=1e-4)
    # Of the validation set and of the test set.
    kept = {path.stem for path in (tmp_path / "optimal_nll").iterdir()}
    assert len(kept) == 2 and results["data"]["test_sha256"][:16] in kept
    main(tiny("oracle", "conf/asnp_rmr_gp_transfer.yaml", "--particles=60", options[1]))
    said = capsys.readouterr()
    assert "nats per target (the runs differ by 0.0" in said.out
    assert "warning" not in said.err, "else no gap is reported"
    main(["test", checkpoint])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    gap = results["scalars"]["nll"] - sum(results["curves"]["inferred_nll"]) / 4
    assert results["scalars"]["gap_inferred_nll"] == pytest.approx(gap, rel=1e-4)
    declared = {measure.name for measure in ASNP.family().measures}
    assert results["scalars"].keys() <= declared, "what is measured is declared"
    predictions = np.load(run / "predictions.npz")
    assert predictions["mean"].shape == predictions["sigma"].shape == (4, 4, 20, 1)
    assert predictions["sigma"].min() > 0.099
    assert predictions["target_y"].shape == predictions["mean"].shape
    # Contexts end half-way, and their y is the function's.
    assert predictions["context_mask"].any((0, 2)).tolist() == [True, True, False, False]
    assert np.abs(predictions["context_y"]).max() <= np.abs(predictions["target_y"]).max()
    assert "gap_inferred_nll" in capsys.readouterr().out


@pytest.mark.parametrize("canvas", ["white", "black"])
def test_overlap_is_measured_where_ink_is_dark(
    tiny: Callable[..., list[str]], runs: Path, canvas: str
) -> None:
    experiment = "--config=conf/snp_digits_transfer.yaml"
    options = ("--run=a", "--trainer.max_steps=1", "--trainer.val_check_interval=1")
    ExperimentCLI(tiny("fit", experiment, *options, f"--data.canvas={canvas}"))
    run = runs / "snp_digits_transfer" / "a"
    main(["test", f"--ckpt_path={run}/checkpoints/best.ckpt"])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    of_overlap = {name for part in ("scalars", "curves") for name in results[part]}
    of_overlap = {name for name in of_overlap if "overlap" in name}
    if canvas == "black":
        assert not of_overlap
        return
    assert results["scalars"].keys() <= {measure.name for measure in ASNP.family().measures}
    of_one = {"overlap_without_context_one_sample", "overlap_late_one_sample"}
    assert of_overlap == {"overlap", "overlap_without_context", "overlap_late"} | of_one
    # Of 4 steps the last 2 are the second half, and have no context.
    late = results["curves"]["overlap"][2:]
    assert results["scalars"]["overlap_late"] == pytest.approx(sum(late) / 2, abs=1e-6)
    assert min(late) >= 0 and max(late) <= 1


def test_the_papers_overlay_has_the_papers_sizes(build: Callable[..., ExperimentCLI]) -> None:
    counts = {"np": 199_554, "anp": 281_986, "snp": 462_338, "asnp_w": 545_154, "asnp_rmr": 712_500}
    for name, parameters in counts.items():
        experiment = f"--config={ROOT}/conf/{name}_gp_sparse.yaml"
        built = build(experiment, PAPER)
        model, data = built.model, built.datamodule
        assert sum(p.numel() for p in model.parameters()) == parameters
        attention = getattr(model.memory, "attention", None)
        assert attention.heads == (1 if name in ("np", "snp") else 8)
        settings = model.learning_rate, model.warm_up, model.decay, model.objective
        assert settings == (1e-4, 0, False, "paper")
        assert (model.validation_samples, model.test_samples) == (1, 1)
        assert data.hparams["protocol"] == "paper"
        assert data.hparams["batch_size"] == 16


def test_the_optimum_has_the_decoders_floor() -> None:
    assert FLOOR == LEAST_SIGMA
