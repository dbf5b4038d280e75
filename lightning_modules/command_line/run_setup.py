"""Finds a run its folder and its name: new ones, or those of the run that it continues."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import lightning as L
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_modules.callbacks.announcement import core_name
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, readable, shown, unusable


def continued_folder(checkpoint: str | None, options: Mapping[str, str]) -> RunFolder | None:
    """Find the folder of the run that a checkpoint comes from; None if it lies in no run.

    Args:
        checkpoint: the file, if there is one.
        options: of the command line; none may ask for another run.

    Raises:
        UsageError: another run is asked for, or the folder cannot be written.
    """
    folder = RunFolder.of_checkpoint(Path(checkpoint)) if checkpoint else None
    if folder is None:
        return None
    for name, value in {"experiment": folder.experiment, "run": folder.run}.items():
        if options.get(f"--{name}", value) != value:
            raise UsageError(
                f"{name}: the command continues its checkpoint's run, {shown(folder.path)}; "
                f"leave out --{name}"
            )
    if not os.access(folder.path, os.W_OK):
        raise UsageError(f"ckpt_path: cannot write into its run, {shown(folder.path)}")
    return folder


def new_folder(root: str, experiment: str, run: str) -> RunFolder:
    """Make a run's folder, from one process.

    Args:
        root: the folder of all runs.
        experiment: name of the folder below it.
        run: name of the folder below that, with a number appended if it is taken.

    Raises:
        UsageError: the folder cannot be made, or would not be where runs are looked for.
    """
    for setting, name in {"experiment": experiment, "run": run}.items():
        if reason := unusable(name):
            raise UsageError(
                f"{setting}: must be the name of a folder; {readable(name)!r} {reason}"
            )
    on_disk = getattr(rank_zero_only, "rank", 0) == 0
    try:
        return RunFolder.create(Path(root), experiment, run, on_disk=on_disk)
    except OSError as failure:
        raise UsageError(
            f"trainer.default_root_dir: cannot make {failure.filename}: {failure.strerror}"
        ) from failure


def remove_unbegun(folder: RunFolder) -> None:
    """Leave nothing behind of a run that this command has made a folder for, and that ended early.

    What loggers wrote there is about nothing.
    """
    shutil.rmtree(folder.path, ignore_errors=True)
    with suppress(OSError):
        folder.path.parent.rmdir()


def default_run(model: L.LightningModule, core_is_chosen: bool, seed: int) -> str:
    """Name a run by time, family, core where it is a choice, and seed."""
    core = core_name(model) if core_is_chosen else None
    names = "-".join(filter(None, (type(model).__name__, core))).lower()
    return f"{datetime.now():%Y%m%d-%H%M%S}-{names}-seed{seed}"


def run_tags(
    model: L.LightningModule, data: L.LightningDataModule, experiment: str, seed: int
) -> list[str]:
    """List what a run is found by in W&B: family, core, benchmark, experiment and seed."""
    names = type(model).__name__, core_name(model), type(data).__name__, experiment
    return [*filter(None, names), f"seed{seed}"]
