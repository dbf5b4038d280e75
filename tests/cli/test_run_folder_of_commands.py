"""What fit, test and predict leave in a run's folder, and how they go on from it."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from cli import ExperimentCLI, main
from lightning_modules import GTMM
from tests.cli.commands import MAZE


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


LOG_ALL = ("--trainer.log_every_n_steps=1", "--trainer.val_check_interval=2")


def test_fit_leaves_everything_in_one_folder(fit: Callable[..., Path], capsys):
    run = fit(*LOG_ALL, "--run=mine")
    assert run.parts[-2:] == ("dnc_gtmm_maze", "mine")
    held = {path.name for path in run.iterdir()} - {"wandb", ".wandb_id"}
    assert held == {"checkpoints", "config.yaml", "metrics.csv", "pictures", "tensorboard"}
    pictures = {path.name for path in (run / "pictures").iterdir()}
    assert {"generations.png", "visit_overlay.png", "kl_curve.png", "memory_film.png"} <= pictures
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    said = capsys.readouterr().out
    for part in ("Data: ", "mnist5k", "parameters", "step 2 of 2", "validation at step 2"):
        assert part in said
    for part in (
        "Everything is in",
        f"test --ckpt_path {run}/checkpoints/best.ckpt",
        " --model.memory=",
    ):
        assert part in said


def test_names_are_never_taken_twice(fit: Callable[..., Path]):
    assert fit("--run=twin", steps=1).name == "twin"
    assert fit("--run=twin", "--experiment=dnc_gtmm_maze", steps=1).name == "twin-2"


def test_last_checkpoint_without_validation(fit: Callable[..., Path]):
    run = fit("--trainer.val_check_interval=4", steps=1)
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["last.ckpt"]


def test_saved_config_builds_the_same_model(fit: Callable[..., Path], build):
    run = fit("--model.memory.slots=3", "--model.map_size=0", steps=1)
    again = build(f"--config={run / 'config.yaml'}")
    trained = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    shapes = {name: value.shape for name, value in again.model.state_dict().items()}
    assert shapes == {name: value.shape for name, value in trained["state_dict"].items()}
    assert again.model.backbone.memory.slots == 3
    assert again.settings.experiment == "dnc_gtmm_maze"


def test_checkpoint_rebuilds_the_model_in_plain_python(fit: Callable[..., Path]):
    last = fit("--model.memory.slots=3", steps=1) / "checkpoints/last.ckpt"
    model = GTMM.load_from_checkpoint(last, map_location="cpu")
    saved = torch.load(last, weights_only=True)["state_dict"]
    assert model.backbone.memory.slots == 3
    assert model.state_dict().keys() == saved.keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, saved[name], rtol=0, atol=0)


def test_resume_goes_on_in_the_same_folder(fit: Callable[..., Path], runs: Path):
    run = fit(*LOG_ALL)
    before = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    resumed = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    ExperimentCLI(["fit", resumed, "--trainer.max_steps=3", "--model.learning_rate=0.5"])
    after = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert len(list(runs.glob("*/*"))) == 1
    assert [r["step"] for r in rows(run) if r["train/bound"]] == ["0", "1", "2"]
    assert (before["global_step"], after["global_step"]) == (2, 3)
    assert after["callbacks"]["Stopwatch"]["seconds"] > before["callbacks"]["Stopwatch"]["seconds"]
    # The checkpoint's hyperparameters do not override what the command line says.
    assert after["hyper_parameters"]["learning_rate"] == 0.5


def test_test_writes_results(fit: Callable[..., Path], capsys):
    run = fit("--seed_everything=3", "--run=r")
    trained = [row["train/bound"] for row in rows(run)]
    ExperimentCLI(["test", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    results = json.loads((run / "results.json").read_text())
    assert (results["experiment"], results["run"], results["stage"]) == (
        "dnc_gtmm_maze",
        "r",
        "test",
    )
    assert (results["seed"], results["evaluation_seed"], results["global_step"]) == (3, 3, 2)
    assert (results["model"], results["memory"]) == ("GTMM", "DNC")
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert results["settings"] == {"model": saved["model"], "data": saved["data"]}
    assert results["settings"]["model"]["init_args"]["memory"]["class_path"].endswith("DNC")
    assert results["data"]["source"] == "mnist5k"
    assert results["sequences"] == 4
    assert results["parameters"] > 1000
    assert results["wall_clock_seconds"] > 0
    assert {"python", "torch", "lightning", "jsonargparse", "gtmm"} <= results["versions"].keys()
    assert len(results["curves"]["kl"]) == 6
    # The first step of a sequence can not show what was shown before.
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
    results = json.loads((last.parents[1] / "results.json").read_text())
    assert (results["seed"], results["evaluation_seed"]) == (3, 4)


def test_default_name_says_what_is_run(fit: Callable[..., Path]):
    when = r"\d{8}-\d{6}"
    assert re.fullmatch(f"{when}-gtmm-dnc-seed0", fit(steps=1).name)
    swapped = fit("--model.memory=NoMemory", "--seed_everything=7", steps=1)
    assert re.fullmatch(f"{when}-gtmm-nomemory-seed7", swapped.name)
    assert re.fullmatch(f"{when}-vrnn-seed0", fit("--config=conf/vrnn_maze.yaml", steps=1).name)


def test_crash_in_the_first_step_leaves_the_settings(fit: Callable[..., Path], runs: Path):
    def crash(*arguments: object) -> None:
        raise RuntimeError("out of memory")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(GTMM, "training_step", crash)
        fit()
    assert len(list(runs.glob("*/*/config.yaml"))) == 1


def test_short_run_leaves_metrics(fit: Callable[..., Path]):
    run = fit(steps=3)
    (row,) = rows(run)
    assert row["step"] == "2"
    assert float(row["train/bound"]) < 0
    ExperimentCLI(
        ["fit", f"--ckpt_path={run}/checkpoints/last.ckpt", "--trainer.max_steps=4"]
        + ["--trainer.log_every_n_steps=2"]
    )
    # Lightning logs this one.
    assert [row["step"] for row in rows(run) if row["train/bound"]] == ["2", "3"]


def test_test_accepts_the_config_of_the_run(fit: Callable[..., Path]):
    run = fit(steps=1)
    config, checkpoint = run / "config.yaml", run / "checkpoints/last.ckpt"
    saved = config.read_text()
    ExperimentCLI(["test", "--config", str(config), "--ckpt_path", str(checkpoint)])
    assert (run / "results.json").exists()
    assert config.read_text() == saved


def test_validate_prints_a_table(fit: Callable[..., Path], capsys):
    run = fit(steps=1)
    ExperimentCLI(["validate", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    assert "kl_recalled_old" in capsys.readouterr().out


def test_predict_saves_generations(fit: Callable[..., Path]):
    run = fit(steps=1)
    ExperimentCLI(["predict", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    saved = np.load(run / "predictions.npz")
    assert saved["frames"].shape == (4, 6, 1, 28, 28)
    assert sorted(saved["index"]) == [0, 1, 2, 3]


def test_logger_that_the_user_chose(tiny: Callable[..., list[str]], runs: Path):
    cli = ExperimentCLI(tiny("fit", MAZE, "--trainer.max_steps=1", "--trainer.logger=false"))
    assert cli.trainer.loggers == []
    run = next(runs.glob("*/*"))
    assert not (run / "metrics.csv").exists()
    assert not (run / "wandb").exists()


def test_switched_off_callbacks(tiny: Callable[..., list[str]], runs: Path, capsys):
    off = ("--trainer.enable_checkpointing=false", "--trainer.enable_progress_bar=false")
    ExperimentCLI(tiny("fit", MAZE, "--trainer.max_steps=1", *off))
    assert not (next(runs.glob("*/*")) / "checkpoints").exists()
    assert "ckpt" not in capsys.readouterr().out


def test_help_is_about_this_program(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["fit", "--help"])
    said = capsys.readouterr().out
    assert exit_.value.code == 0
    for part in ("--experiment", "--run", "--ckpt_path", "--model", "GTMM"):
        assert part in said
