"""Chooses a run's folder and name: new ones, or those of the run that it continues."""

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
    """Return the folder of a checkpoint's run; None if it is not in a run's folder.

    Args:
        checkpoint: path of the file, if any.
        options: command-line options, which must not name another run.

    Raises:
        UsageError: the options name another run, or the folder is not writable.
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
        raise UsageError(f"ckpt_path: cannot write to its run, {shown(folder.path)}")
    return folder


def new_folder(root: str, experiment: str, run: str) -> RunFolder:
    """Create a run's folder, from the first process only.

    Args:
        root: the folder of all runs.
        experiment: name of the experiment's folder in it.
        run: name of the run's folder in that, with a number appended if it is taken.

    Raises:
        UsageError: a name is not a valid folder name, or the folder cannot be created.
    """
    for setting, name in {"experiment": experiment, "run": run}.items():
        if reason := unusable(name):
            raise UsageError(f"{setting}: must be a folder name; {readable(name)!r} {reason}")
    on_disk = getattr(rank_zero_only, "rank", 0) == 0
    try:
        return RunFolder.create(Path(root), experiment, run, on_disk=on_disk)
    except OSError as failure:
        raise UsageError(
            f"trainer.default_root_dir: cannot create {failure.filename}: {failure.strerror}"
        ) from failure


def remove_unbegun(folder: RunFolder) -> None:
    """Remove the folder of a run that ended before it began, with its loggers' files."""
    shutil.rmtree(folder.path, ignore_errors=True)
    with suppress(OSError):
        folder.path.parent.rmdir()


def default_run(model: L.LightningModule, core_is_chosen: bool, seed: int) -> str:
    """Name a run by time, model, core if it is a setting, and seed."""
    core = core_name(model) if core_is_chosen else None
    names = "-".join(filter(None, (type(model).__name__, core))).lower()
    return f"{datetime.now():%Y%m%d-%H%M%S}-{names}-seed{seed}"


def run_tags(
    model: L.LightningModule, data: L.LightningDataModule, experiment: str, seed: int
) -> list[str]:
    """List a run's tags in W&B: model, core, benchmark, experiment and seed."""
    names = type(model).__name__, core_name(model), type(data).__name__, experiment
    return [*filter(None, names), f"seed{seed}"]
