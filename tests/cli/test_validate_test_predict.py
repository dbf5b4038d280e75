"""`validate`, `test` and `predict`: files in a run's folder, and refusals."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from cli import ExperimentCLI, main
from lightning_modules import GTMM
from lightning_modules.declarations import Family
from lightning_modules.records.settings import RECORDED_LATER, TRAINING
from tests.cli.commands import MAZE


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_test_writes_results(fit: Callable[..., Path], capsys):
    run = fit("--seed_everything=3", "--run=r")
    trained = [row["train/bound"] for row in rows(run)]
    ExperimentCLI(["test", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert (results["experiment"], results["run"], results["stage"]) == (
        "dnc_gtmm_maze",
        "r",
        "test",
    )
    assert (results["seed"], results["evaluation_seed"], results["global_step"]) == (3, 3, 2)
    assert (results["model"], results["memory"]) == ("GTMM", "DNC")
    saved = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    trainer = {name: saved["trainer"].get(name, 1) for name in (*TRAINING, *RECORDED_LATER)}
    assert results["settings"] == {
        "model": saved["model"],
        "data": saved["data"],
        "trainer": trainer,
    }
    assert (trainer["max_steps"], trainer["world_size"]) == (2, 1)
    declared = GTMM.family()
    assert Family.from_json(results["declared"]["family"]) == declared
    known = {measure.name for measure in declared.measures}
    assert results["scalars"].keys() <= known, "what is measured is declared"
    assert results["curves"].keys() <= known
    assert results["settings"]["model"]["init_args"]["memory"]["class_path"].endswith("DNC")
    assert results["data"]["source"] == "mnist5k"
    assert results["sequences"] == 4
    assert results["parameters"] > 1000
    assert results["wall_clock_seconds"] > 0
    assert {"python", "torch", "lightning", "jsonargparse", "gtmm"} <= results["versions"].keys()
    assert len(results["curves"]["kl"]) == 6
    # The first step of a sequence cannot show what was shown before.
    assert results["curves"]["kl_recalled"][0] is None
    said = capsys.readouterr().out
    assert f"{results['scalars']['bound']:.4f}" in said
    assert "kl_t" not in said
    assert [row["train/bound"] for row in rows(run)] == [*trained, ""]


def test_seed_of_training_is_reported(fit: Callable[..., Path]):
    last = fit("--seed_everything=3", steps=1) / "checkpoints/last.ckpt"
    resumed = f"--ckpt_path={last}", "--seed_everything=4"
    ExperimentCLI(["fit", *resumed, "--trainer.max_steps=2"])
    ExperimentCLI(["test", *resumed])
    results = json.loads((last.parents[1] / "results.json").read_text(encoding="utf-8"))
    assert (results["seed"], results["evaluation_seed"]) == (3, 4)


def test_test_accepts_the_config_of_the_run(fit: Callable[..., Path]):
    run = fit(steps=1)
    config, checkpoint = run / "config.yaml", run / "checkpoints/last.ckpt"
    saved = config.read_text(encoding="utf-8")
    ExperimentCLI(["test", "--config", str(config), "--ckpt_path", str(checkpoint)])
    assert (run / "results.json").exists()
    assert config.read_text(encoding="utf-8") == saved


def test_validate_prints_a_table_and_logs_at_the_step_of_the_weights(
    fit: Callable[..., Path], capsys
):
    run = fit(steps=2)
    ExperimentCLI(["validate", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    assert "kl_recalled_old" in capsys.readouterr().out
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/bound"]]
    # Training ended with the same validation, of the same weights with the same noise.
    assert [row["step"] for row in rows] == ["2", "2"]
    assert rows[0]["val/bound"] == rows[1]["val/bound"]


def test_predict_saves_generations(fit: Callable[..., Path]):
    run = fit(steps=1)
    ExperimentCLI(["predict", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    saved = np.load(run / "predictions.npz")
    assert saved["frames"].shape == saved["truth"].shape == (4, 6, 1, 28, 28)
    assert sorted(saved["index"]) == [0, 1, 2, 3]
    # A walk shows the same digit where it is at the same place, and the model is shown its start.
    same = saved["place"][0] == saved["place"][0, 0]
    assert (saved["truth"][0, same] == saved["truth"][0, 0]).all()
    assert (saved["actions"][:, 1:].sum(2) == 1).all()
    assert (saved["given"] == (np.arange(6) < 3)).all()


@pytest.mark.parametrize("subcommand", ["validate", "test", "predict"])
def test_untrained_model_is_not_measured(
    complaint: Callable[..., str], tiny: Callable[..., list[str]], runs: Path, subcommand: str
):
    said = complaint(*tiny(subcommand, MAZE))
    assert f"ckpt_path: {subcommand} needs the checkpoint of a trained model" in said
    assert not runs.exists()
    main(tiny(subcommand, MAZE, "--trainer.fast_dev_run=true"))


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, [1, 2]])
def test_file_of_tensors_that_is_no_checkpoint(
    complaint: Callable[..., str], tmp_path: Path, content: object
):
    torch.save(content, tmp_path / "weights.ckpt")
    assert "is not the" in complaint("test", MAZE, f"--ckpt_path={tmp_path}/weights.ckpt")


@pytest.mark.parametrize("option", ["run", "experiment"])
def test_checkpoint_decides_on_the_run(complaint: Callable[..., str], fit, option: str):
    run = fit("--run=a", steps=1)
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    said = complaint("test", last, f"--{option}=b")
    assert f"{option}: the command continues its checkpoint's run" in said
    assert f"leave out --{option}" in said
