"""``results.json``: what ``test`` found, and everything that is needed to interpret it."""

import json
import math
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from lightning_modules.callbacks.announcement import count_parameters, data_record
from lightning_modules.callbacks.stopwatch import Stopwatch
from lightning_modules.callbacks.training_seed import TrainingSeed
from lightning_modules.command_line.run_folder import RunFolder
from lightning_modules.command_line.table import table
from lightning_modules.sequence_model import SequenceModel

PACKAGES = ("torch", "lightning", "jsonargparse", "gtmm")


class ResultsFile(L.Callback):
    """Writes the results of a test and prints them as a table.

    Args:
        folder: of the run.
        stopwatch: knows how long training took.
        seed: knows the seed of training.
        settings: of model and data, as in the run's config.yaml.
    """

    def __init__(
        self,
        folder: RunFolder,
        stopwatch: Stopwatch,
        seed: TrainingSeed,
        settings: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.stopwatch = stopwatch
        self.seed = seed
        self.settings = settings

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write and print, from one process."""
        summary = getattr(pl_module, "test_summary", None)
        if not trainer.is_global_zero or summary is None:
            return
        scalars = {name: number(value) for name, value in summary.scalars.items()}
        curves = {name: [number(v) for v in curve] for name, curve in summary.curves.items()}
        write_json(
            self.folder.results,
            {
                "experiment": self.folder.experiment,
                "run": self.folder.run,
                "stage": "test",
                "model": type(pl_module).__name__,
                "memory": core_name(pl_module),
                "sequences": summary.sequences,
                "scalars": scalars,
                "curves": curves,
                **self._circumstances(trainer, pl_module),
            },
        )
        print(table("test", scalars))

    def _circumstances(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "data": data_record(trainer),
            "seed": self.seed.seed,
            "evaluation_seed": self.seed.of_command,
            "parameters": count_parameters(pl_module),
            "global_step": trained_steps(trainer),
            "checkpoint": None if trainer.ckpt_path is None else str(trainer.ckpt_path),
            "wall_clock_seconds": round(self.stopwatch.seconds, 3),
            "versions": versions(),
            "command": " ".join(sys.argv),
        }


def core_name(model: L.LightningModule) -> str | None:
    """Class of the memory core, None for models of other kinds."""
    return type(model.core).__name__ if isinstance(model, SequenceModel) else None


def trained_steps(trainer: L.Trainer) -> int:
    """Optimiser steps behind the weights that are tested."""
    if trainer.ckpt_path is None:
        return trainer.global_step
    # Testing restores the weights only, not the step.
    checkpoint = torch.load(trainer.ckpt_path, map_location="cpu", weights_only=True, mmap=True)
    return checkpoint["global_step"]


def number(value: Tensor) -> float | None:
    """A plain number; None (null in JSON) where there is nothing to average."""
    plain = float(value)
    return plain if math.isfinite(plain) else None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write so that a reader sees the old file or the new one, never half of one."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    os.replace(partial, path)


def versions() -> dict[str, str | None]:
    """Of Python, of the packages that decide results, and the git revision of this code."""
    return {
        "python": platform.python_version(),
        **{package: package_version(package) for package in PACKAGES},
        "revision": _revision(),
    }


def package_version(package: str) -> str | None:
    """Of an installed package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    """The commit of the checkout that this file lies in, marked "+" if files were changed."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    found = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None if found.returncode == 0 else None
