"""``results.json``: the results of ``test``, and everything needed to interpret them."""

import math
import shlex
import sys
from typing import Any

import lightning as L
import torch
from torch import Tensor

from lightning_modules.callbacks.announcement import core_name, data_record
from lightning_modules.callbacks.flight_recorder import FlightRecorder
from lightning_modules.callbacks.model_file import declared, sizes
from lightning_modules.callbacks.stopwatch import Stopwatch
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.callbacks.training_origin import TrainingOrigin
from lightning_modules.records.reading import FORMAT
from lightning_modules.records.run_folder import RunFolder, write_json
from lightning_modules.records.settings import (
    ON_DIVERGENCE,
    TRAINING,
    VALIDATION,
    WORLD_SIZE,
)
from lightning_modules.records.versions import versions
from lightning_modules.table import table


class ResultsFile(L.Callback):
    """Writes the results of a test and prints them as a table.

    Args:
        folder: the run's folder.
        stopwatch: measures the duration of training.
        throughput: measures its speed.
        origin: records how training started.
        recorder: counts skipped steps.
        settings: the run's settings, as in its config.yaml.
    """

    def __init__(
        self,
        folder: RunFolder,
        stopwatch: Stopwatch,
        throughput: Throughput,
        origin: TrainingOrigin,
        recorder: FlightRecorder,
        settings: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.stopwatch = stopwatch
        self.throughput = throughput
        self.origin = origin
        self.recorder = recorder
        self.settings = settings

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write and print the results, from one process."""
        summary = getattr(pl_module, "test_summary", None)
        if not trainer.is_global_zero or summary is None:
            return
        scalars = {name: number(value) for name, value in summary.scalars.items()}
        curves = {name: [number(v) for v in curve] for name, curve in summary.curves.items()}
        write_json(
            self.folder.results,
            {
                "format": FORMAT,
                "experiment": self.folder.experiment,
                "run": self.folder.run,
                "stage": "test",
                "model": type(pl_module).__name__,
                "memory": core_name(pl_module),
                "declared": declared(pl_module).to_json(),
                "sequences": summary.sequences,
                "scalars": scalars,
                "curves": curves,
                **self._circumstances(trainer, pl_module),
            },
        )
        print(table("test", scalars))

    def _settings(self) -> dict[str, Any]:
        """Return the settings of model and data, and those of the trainer that affect results."""
        trainer = {name: self.settings["trainer"].get(name) for name in (*TRAINING, *VALIDATION)}
        if self.origin.world_size is not None:
            trainer[WORLD_SIZE] = self.origin.world_size
        if self.recorder.on_divergence != "stop":
            # Only then: earlier runs lack this setting, and must stay in the same group.
            trainer[ON_DIVERGENCE] = self.recorder.on_divergence
        return {**{part: self.settings[part] for part in ("model", "data")}, "trainer": trainer}

    def _circumstances(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "data": data_record(trainer),
            "seed": self.origin.seed,
            "evaluation_seed": self.origin.of_command,
            **sizes(pl_module),
            "global_step": trained_steps(trainer),
            "checkpoint": None if trainer.ckpt_path is None else str(trainer.ckpt_path),
            "wall_clock_seconds": round(self.stopwatch.seconds, 3),
            "training": {
                **self.throughput.record(),
                "skipped_steps": self.recorder.skipped,
                "hardware": self.origin.hardware,
                "revision": self.origin.revision,
                "command": self.origin.command,
            },
            "versions": versions(),
            "command": shlex.join(sys.argv),
        }


def trained_steps(trainer: L.Trainer) -> int:
    """Return the number of optimiser steps that the tested weights were trained for."""
    if trainer.ckpt_path is None:
        return trainer.global_step
    # Testing restores the weights only, not the step.
    checkpoint = torch.load(trainer.ckpt_path, map_location="cpu", weights_only=True, mmap=True)
    return checkpoint["global_step"]


def number(value: Tensor) -> float | None:
    """Return a plain number; None (null in JSON) if it is not finite."""
    plain = float(value)
    return plain if math.isfinite(plain) else None
