"""Sends metrics to Weights & Biases, TensorBoard, and a CSV file in the run's folder."""

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
#: W&B refuses a run with a longer one.
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
        """Nothing to do: the run's settings are in its config.yaml."""


class AppendingWriter(ExperimentWriter):
    """Lightning's writer deletes a metrics.csv that it finds; this one goes on with it."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = continue_table(Path(self.metrics_file_path))

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        widen_table(Path(self.metrics_file_path), fieldnames)


class TensorBoardFiles(TensorBoardLogger):
    """Writes what ``tensorboard --logdir runs`` shows into the run's folder ``tensorboard``."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder.path, name="tensorboard", version="", default_hp_metric=False)

    @rank_zero_only
    def log_hyperparams(self, params: object = None, *others: object, **settings: object) -> None:
        """Show all that was said of the run in one row of the table of hyperparameters."""
        self.hparams.update(_convert_params(params))  # type: ignore[arg-type]
        super().log_hyperparams(self.hparams)

    @rank_zero_only
    def save(self) -> None:
        """Write what is waiting, and no hparams.yaml: the run has its config.yaml."""
        self.experiment.flush()

    @rank_zero_only
    def log_image(self, key: str, images: list[str], step: int) -> None:
        """Show pictures from files, as W&B's logger does.

        Args:
            key: what they are called.
            images: their files.
            step: of training.
        """
        for path in images:
            pixels = matplotlib.image.imread(path)
            self.experiment.add_image(key, pixels, step, dataformats="HWC")


def run_loggers(folder: RunFolder, tags: Sequence[str] = ()) -> list[Logger]:
    """All loggers of a run; W&B asks nothing, and stays offline when nobody is logged in.

    Args:
        folder: of the run.
        tags: W&B's, to filter runs by.
    """
    return [MetricsFile(folder), TensorBoardFiles(folder), _wandb_run(folder, tags)]


def make_expendable(loggers: Iterable[Logger]) -> None:
    """Let no logger delay or end a run, but that of the file that the run cannot do without."""
    for logger in loggers:
        if type(logger) is WandbLogger:
            logger.__class__ = WandbRun
        elif not isinstance(logger, MetricsFile):
            expendable(logger)


def finish(loggers: Iterable[Logger]) -> None:
    """End the W&B run, so that another one in this process is a run of its own."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish()


def _wandb_run(folder: RunFolder, tags: Sequence[str]) -> WandbRun:
    # An agent names its runs itself; else the same run is continued by resume and test.
    named_by_agent = "WANDB_RUN_ID" in os.environ
    logger = WandbRun(
        save_dir=folder.path,
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=f"{folder.experiment}/{folder.run}",
        group=folder.experiment,
        tags=[tag[:LONGEST_TAG] for tag in tags],
        id=None if named_by_agent else run_id(folder),
    )
    # Lightning always passes it on, and W&B warns that it has no effect.
    logger._wandb_init.pop("anonymous", None)
    return logger


@rank_zero_only
def run_id(folder: RunFolder) -> str:
    """W&B's name of the run, kept in its folder: a run of the same name elsewhere is another."""
    if not folder.wandb_id.is_file():
        write_text(folder.wandb_id, f"{folder.experiment}-{folder.run}-{uuid4().hex[:8]}")
    return folder.wandb_id.read_text(encoding="utf-8")
