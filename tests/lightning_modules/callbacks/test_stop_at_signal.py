"""A signal ends a training between two batches, and nothing is lost."""

import os
import signal
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from lightning_modules.callbacks.stop_signals import Stopped, StopSignals
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.callbacks.small_trainings import Number, fit, saved, trainer_of


class Kill(L.Callback):
    """Sends a signal to this process in a step of training, or in a batch of its validation."""

    def __init__(self, step: int, validates: bool = False) -> None:
        self.step, self.validates = step, validates

    def on_before_zero_grad(self, trainer: L.Trainer, *arguments: Any) -> None:
        if not self.validates and trainer.global_step == self.step - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_batch_start(
        self, trainer: L.Trainer, model: Number, batch: Any, batch_idx: int, loader: int = 0
    ) -> None:
        if self.validates and trainer.global_step == self.step and batch_idx == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def stopped(folder: RunFolder, kill: Kill) -> None:
    with StopSignals() as signals, pytest.raises(SIGTERMException):
        fit(trainer_of(folder, kill, signals=signals), validated_on=3)


@pytest.mark.parametrize(
    ("kill", "before", "after"),
    [
        (Kill(3), 3, [4, 6]),
        (Kill(4), 4, [4, 6]),
        (Kill(5), 5, [6]),
        (Kill(6), 6, [6]),
        (Kill(4, validates=True), 4, [4, 6]),
        (Kill(6, validates=True), 6, [6]),
    ],
)
def test_training_goes_on_as_if_nothing_had_been(
    kill: Kill, before: int, after: list[int], tmp_path: Path
) -> None:
    folder, whole = RunFolder(tmp_path / "stopped"), RunFolder(tmp_path / "whole")
    stopped(folder, kill)
    assert saved(folder.last_checkpoint)[0] == before
    model = fit(trainer_of(folder), resume=folder.last_checkpoint)
    assert model.validated == after
    fit(trainer_of(whole))
    for name in ("last_checkpoint", "best_checkpoint"):
        assert saved(getattr(folder, name)) == saved(getattr(whole, name))


def test_before_the_first_step_has_ended_nothing_waits(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with StopSignals() as signals, pytest.raises(Stopped, match="SIGTERM"):
        fit(trainer_of(folder, Kill(1), signals=signals))
    assert not folder.last_checkpoint.exists()


def test_a_validation_alone_does_not_wait(tmp_path: Path) -> None:
    with StopSignals() as signals, pytest.raises(Stopped):
        trainer = trainer_of(RunFolder(tmp_path), Kill(0, validates=True), signals=signals)
        trainer.validate(Number(), DataLoader(torch.ones(3, 1)))


def test_slurm_names_a_signal_of_its_own(tmp_path: Path, monkeypatch) -> None:
    for name, value in {"NTASKS": 1, "JOB_ID": 7, "PROCID": 0, "LOCALID": 0, "NODEID": 0}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURM_JOB_NAME", "train")

    class Kill(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *arguments: Any) -> None:
            if trainer.global_step == 2:
                os.kill(os.getpid(), signal.SIGUSR1)

    folder = RunFolder(tmp_path)
    with StopSignals() as signals, pytest.raises(SIGTERMException):
        fit(trainer_of(folder, Kill(), signals=signals))
    assert signals.received == signals.requeues == signal.SIGUSR1
    assert saved(folder.last_checkpoint)[0] == 3
    # Lightning's own handler saves into the folder of all runs, and reads from there.
    assert not list(tmp_path.rglob("hpc_ckpt*"))
