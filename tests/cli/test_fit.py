"""`fit`: files in a run's folder, resuming from them, and usage errors."""

import csv
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cli import ExperimentCLI, main
from datamodules.rooms.film_worker import LostFilmWorker
from lightning_modules import GTMM
from lightning_modules.command_line import run_lock
from lightning_modules.records.run_folder import RunFolder
from tests.cli.commands import MAZE, SMALL_CONTROLLER
from tests.datamodules.rooms.painter import Painter

#: Errors detected only when the model, its data or the trainer is built.
MISTAKES = {
    "--model.memory.slots=-1": ["model.memory.slots must be at least 1, got -1"],
    "--model.latent_size=0": ["model.latent_size must be above 0, got 0"],
    "--data.batch_size=0": ["data.batch_size must be at least 1, got 0"],
    "--data.curriculum=[{batches: 1, grids: [1]}]": [
        "data.curriculum[0].grids must be grid sizes of at least 2, got [1]"
    ],
    "--model.latent_size=100000": ["model.latent_size must be at most 448 within parameter_budget"],
    "--trainer.accelerator=gpux": ["trainer:", "invalid accelerator"],
    "--trainer.devices=-2": ["trainer: `devices` selected with `CPUAccelerator`"],
    "--trainer.gradient_clip_val=-1": ["trainer.gradient_clip_val must be at least 0, got -1.0"],
    "--seed_everything=-1": ["seed_everything must be from 0 to 4294967295, got -1"],
    # Detected only with the data.
    "--model.prefix_length=3": ["model.prefix_length: comes from the data; leave it out"],
    "--model.init_args.prefix_length=3": ["model.prefix_length: comes from the data"],
    "--ckpt_path=nowhere.ckpt": ["ckpt_path: there is no file nowhere.ckpt"],
    "--ckpt_path=README.md": ["ckpt_path: README.md is not a checkpoint"],
    # Detected by the parser.
    "--model.memori=NoMemory": ["model.memori:", "did you mean model.memory?"],
}
#: Causes that end rendering, and their messages.
FAILURES = {
    "an engine that crashes": (
        [LostFilmWorker("the engine ended with status -11")] * 2,
        "error: films 0 to 7 of train: the engine ended with status -11",
    ),
    "a full disk": (
        [OSError(errno.ENOSPC, "No space left on device", "train-00000.npy")],
        "error: train-00000.npy: No space left on device",
    ),
}


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


LOG_ALL = ("--trainer.log_every_n_steps=1", "--trainer.val_check_interval=2")


@pytest.mark.pictures
def test_fit_leaves_everything_in_one_folder(fit: Callable[..., Path], capsys):
    run = fit(*LOG_ALL, "--run=mine")
    assert run.parts[-2:] == ("dnc_gtmm_maze", "mine")
    entries = {path.name for path in run.iterdir()} - {"wandb", ".wandb_id"}
    files = {"config.yaml", "metrics.csv", "model.json"}
    assert entries == {"checkpoints", "pictures", "tensorboard"} | files
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


def test_no_run_ends_unmeasured(fit: Callable[..., Path]):
    run = fit("--trainer.val_check_interval=4", steps=1)
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert [bool(row["val/bound"]) for row in rows(run)] == [False, True]


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
    assert [float(r["step"]) for r in rows(run) if r["train/bound"]] == [1, 2, 3]
    assert (before["global_step"], after["global_step"]) == (2, 3)
    assert after["callbacks"]["Stopwatch"]["seconds"] > before["callbacks"]["Stopwatch"]["seconds"]
    # What the checkpoint holds does not override what the command line says.
    assert after["hyper_parameters"]["learning_rate"] == 0.5
    assert after["optimizer_states"][0]["param_groups"][0]["lr"] == 0.5


def test_nobody_else_trains_in_a_folder(
    fit: Callable[..., Path], complaint: Callable[..., str], monkeypatch
):
    run = fit(steps=1)
    monkeypatch.setattr(run_lock, "PATIENCE", 0.2)
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    other = run_lock.hold(RunFolder(run))
    said = complaint("fit", last, "--trainer.max_steps=2")
    assert f"another process trains in {run}" in said
    os.close(other)
    main(["fit", last, "--trainer.max_steps=2"])
    os.close(run_lock.hold(RunFolder(run)))


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
    row, _ = rows(run)
    assert float(row["step"]) == 3
    assert float(row["train/bound"]) < 0
    ExperimentCLI(
        ["fit", f"--ckpt_path={run}/checkpoints/last.ckpt", "--trainer.max_steps=4"]
        + ["--trainer.log_every_n_steps=2"]
    )
    assert [float(row["step"]) for row in rows(run) if row["train/bound"]] == [3, 4]


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


def test_no_place_for_runs(complaint: Callable[..., str], tmp_path: Path):
    (tmp_path / "file").touch()
    said = complaint("fit", MAZE, f"--trainer.default_root_dir={tmp_path}/file")
    assert f"trainer.default_root_dir: cannot create {tmp_path}/file/dnc_gtmm_maze" in said


def test_failed_resume_leaves_the_run_alone(complaint: Callable[..., str], fit, tmp_path: Path):
    run = fit(steps=1)
    before = {path: path.read_bytes() for path in run.rglob("*.*") if path.is_file()}
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    said = complaint("fit", last, "--model.memory=NoMemory")
    assert "model.memory is NoMemory here, DNC in the checkpoint" in said
    said = complaint("fit", last, "--model.memory.word_size=3", "--model.map_size=0")
    assert "model.memory.word_size is 3 here, 64 in the checkpoint" in said
    assert "model.map_size is 0 here, 128 in the checkpoint" in said
    assert "model is VRNN here, GTMM in the" in complaint(
        "fit", "--config=conf/vrnn_maze.yaml", last
    )
    assert {path: path.read_bytes() for path in run.rglob("*.*") if path.is_file()} == before


def test_data_that_is_not_there(
    complaint: Callable[..., str], tiny: Callable[..., list[str]], runs: Path, monkeypatch
):
    def refuse(data_dir: Path) -> None:
        raise OSError("no network")

    monkeypatch.setattr("datamodules.sources.mnist.download", refuse)
    said = complaint(*tiny("fit", MAZE), "--data.source=mnist", f"--data.data_dir={runs}/none")
    assert "data.source must be auto or mnist5k" in said
    assert not list(runs.glob("*/*"))


@pytest.mark.parametrize("failure", FAILURES)
def test_films_that_cannot_be_rendered(
    tiny, complaint: Callable[..., str], runs: Path, monkeypatch, failure: str
):
    errors, expected = FAILURES[failure]
    monkeypatch.setattr(Painter, "fails", {"train-00000.npy": [*errors]})
    said = complaint(*tiny("fit", "--config=conf/vrnn_rotation.yaml", *SMALL_CONTROLLER))
    assert expected in said.splitlines()
    assert not [*runs.glob("*/*")]


@pytest.mark.parametrize("option", MISTAKES)
def test_mistake_on_the_command_line(complaint: Callable[..., str], option: str):
    said = complaint("fit", MAZE, option)
    for part in MISTAKES[option]:
        assert part in said


def test_setting_out_of_range_in_a_file(complaint: Callable[..., str], tmp_path: Path):
    (tmp_path / "laid_over.yaml").write_text("data: {init_args: {batch_size: 0}}", encoding="utf-8")
    said = complaint("fit", MAZE, f"--config={tmp_path / 'laid_over.yaml'}")
    assert "data.batch_size must be at least 1, got 0" in said


def test_callback_that_fails_in_set_up_leaves_no_folder(
    complaint: Callable[..., str], tiny: Callable[..., list[str]], runs: Path, tmp_path: Path
):
    name = "lightning.pytorch.callbacks.LearningRateMonitor"
    file = tmp_path / "callbacks.yaml"
    file.write_text(
        f"trainer: {{logger: false, callbacks: [{{class_path: {name}}}]}}", encoding="utf-8"
    )
    said = complaint(*tiny("fit", MAZE, f"--config={file}"))
    assert "trainer: Cannot use LearningRateMonitor callback" in said
    assert not list(runs.glob("*"))


def test_checkpoints_of_a_users_own(fit: Callable[..., Path], tmp_path: Path):
    name, settings = "lightning.pytorch.callbacks.ModelCheckpoint", "{monitor: val/kl}"
    file = tmp_path / "callbacks.yaml"
    entry = f"{{class_path: {name}, init_args: {settings}}}"
    file.write_text(f"trainer: {{callbacks: [{entry}]}}", encoding="utf-8")
    run = fit(f"--config={file}", steps=2)
    names = {path.name for path in (run / "checkpoints").iterdir()}
    assert names == {"best.ckpt", "last.ckpt", "epoch=0-step=2.ckpt"}
