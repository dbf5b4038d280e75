"""W&B receives a run, TensorBoard reads it, and metrics.csv is one table per run."""

import csv
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lightning_modules.command_line.loggers import (
    MetricsFile,
    TensorBoardFiles,
    run_id,
    run_loggers,
)
from lightning_modules.records.run_folder import RunFolder


def test_wandb_is_told_what_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = RunFolder.create(tmp_path, "maze", "run")
    *_, logger = run_loggers(folder, ["GTMM", "DNC", "maze", "x" * 70])
    settings = logger._wandb_init
    assert settings["tags"] == ["GTMM", "DNC", "maze", "x" * 64]
    assert (settings["name"], settings["group"]) == ("maze/run", "maze")
    assert "anonymous" not in settings


def test_a_run_keeps_its_wandb_id_and_no_other_has_it(tmp_path: Path):
    folders = [RunFolder.create(tmp_path / place, "maze", "run") for place in "ab"]
    one, other = (run_id(folder) for folder in folders)
    assert one.startswith("maze-run-") and one != other
    assert run_id(folders[0]) == one


def test_tensorboard_reads_scalars_and_pictures(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = RunFolder.create(tmp_path, "maze", "run")
    logger = TensorBoardFiles(folder)
    logger.log_hyperparams({"core": "DNC", "data": {"source": "mnist"}})
    logger.log_hyperparams({"learning_rate": 0.5})
    logger.log_metrics({"val/bound": -3.5}, step=7)
    picture = tmp_path / "one.png"
    matplotlib.image.imsave(picture, np.full((2, 3, 3), 0.5))
    logger.log_image("pictures/walk", [str(picture)], step=7)
    logger.finalize("success")
    assert [path.name for path in folder.path.iterdir()] == ["tensorboard"]
    found = EventAccumulator(str(folder.path / "tensorboard")).Reload()
    assert [path.suffix for path in (folder.path / "tensorboard").iterdir()] != [".yaml"]
    assert [(e.step, e.value) for e in found.Scalars("val/bound")] == [(7, -3.5)]
    (image,) = found.Images("pictures/walk")
    assert (image.step, image.width, image.height) == (7, 3, 2)


def test_resumed_run_appends_rows_and_columns(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "maze", "run")
    for step, metrics in enumerate([{"a": 1.0}, {"b": 2.0}, {"a": 3.0}]):
        logger = MetricsFile(folder)
        logger.log_metrics(metrics, step)
        logger.finalize("success")
    with open(folder.metrics, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    assert [row["a"] for row in rows] == ["1.0", "", "3.0"]
    assert [row["b"] for row in rows] == ["", "2.0", ""]


def test_settings_go_to_no_second_file(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "maze", "run")
    logger = MetricsFile(folder)
    logger.log_hyperparams({"a": 1})
    logger.log_metrics({"a": 1.0}, 0)
    assert [path.name for path in folder.path.iterdir()] == ["metrics.csv"]
