"""Loggers of a run: Weights & Biases, TensorBoard, and a CSV file in the run's folder."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import matplotlib.image
from lightning.fabric.loggers.csv_logs import _ExperimentWriter
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.fabric.utilities.logger import _convert_params
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_modules.command_line.expendable_logger import expendable
from lightning_modules.command_line.wandb_run import WandbRun
from lightning_modules.records.run_folder import RunFolder, write_text
from lightning_modules.records.table_file import continue_table, widen_table

PROJECT = "memory-cores"
#: W&B rejects runs with longer tags.
LONGEST_TAG = 64


class MetricsFile(CSVLogger):
    """Writes ``metrics.csv`` straight into the run's folder and appends to it on resume."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder.path, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> _ExperimentWriter:
        """Return the writer of the file."""
        if self._experiment is None:
            self._experiment = AppendingWriter(self.log_dir)
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: object = None) -> None:
        """Do nothing: the run's settings are in its config.yaml."""


class AppendingWriter(ExperimentWriter):
    """Appends to an existing metrics.csv, which Lightning's writer would delete."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = continue_table(Path(self.metrics_file_path))

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        widen_table(Path(self.metrics_file_path), fieldnames)


class TensorBoardFiles(TensorBoardLogger):
    """Writes TensorBoard files into the run's folder ``tensorboard``."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder.path, name="tensorboard", version="", default_hp_metric=False)

    @rank_zero_only
    def log_hyperparams(self, params: object = None, *args: object, **kwargs: object) -> None:
        """Show all of the run's hyperparameters in one row of the table."""
        self.hparams.update(_convert_params(params))  # type: ignore[arg-type]
        super().log_hyperparams(self.hparams)

    @rank_zero_only
    def save(self) -> None:
        """Flush pending events, without an hparams.yaml: the run has its config.yaml."""
        self.experiment.flush()

    @rank_zero_only
    def log_image(self, key: str, images: list[str], step: int) -> None:
        """Show pictures from files, as W&B's logger does.

        Args:
            key: name of the pictures.
            images: paths of their files.
            step: training step.
        """
        for path in images:
            pixels = matplotlib.image.imread(path)
            self.experiment.add_image(key, pixels, step, dataformats="HWC")


def run_loggers(folder: RunFolder, tags: Sequence[str] = ()) -> list[Logger]:
    """Return all loggers of a run; W&B does not prompt, and stays offline without a login.

    Args:
        folder: of the run.
        tags: W&B's, to filter runs by.
    """
    return [MetricsFile(folder), TensorBoardFiles(folder), _wandb_run(folder, tags)]


def make_expendable(loggers: Iterable[Logger]) -> None:
    """Keep loggers from delaying or ending a run, except the required metrics file."""
    for logger in loggers:
        if type(logger) is WandbLogger:
            logger.__class__ = WandbRun
        elif not isinstance(logger, MetricsFile):
            expendable(logger)


def finish(loggers: Iterable[Logger]) -> None:
    """End the W&B run, so that this process's next run is a new one."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish()


def _wandb_run(folder: RunFolder, tags: Sequence[str]) -> WandbRun:
    # A sweep agent sets the run's id itself; otherwise resume and test continue the same W&B run.
    named_by_agent = "WANDB_RUN_ID" in os.environ
    logger = WandbRun(
        save_dir=folder.path,
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=f"{folder.experiment}/{folder.run}",
        group=folder.experiment,
        tags=[tag[:LONGEST_TAG] for tag in tags],
        id=None if named_by_agent else run_id(folder),
    )
    # Lightning always passes it, and W&B warns that it has no effect.
    logger._wandb_init.pop("anonymous", None)
    return logger


@rank_zero_only
def run_id(folder: RunFolder) -> str:
    """Return the run's W&B id, stored in its folder to tell apart runs of the same name."""
    if not folder.wandb_id.is_file():
        write_text(folder.wandb_id, f"{folder.experiment}-{folder.run}-{uuid4().hex[:8]}")
    return folder.wandb_id.read_text(encoding="utf-8")
