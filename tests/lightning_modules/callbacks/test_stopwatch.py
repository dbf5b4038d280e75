"""Training time adds up over interruptions."""

import csv
from pathlib import Path
from unittest.mock import MagicMock

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from lightning_modules.callbacks.stopwatch import Stopwatch
from lightning_modules.command_line.loggers import MetricsFile
from lightning_modules.records.run_folder import RunFolder


def test_time_goes_on_from_a_checkpoint(monkeypatch: pytest.MonkeyPatch):
    now = iter([100.0, 105.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    stopwatch = Stopwatch()
    stopwatch.load_state_dict({"seconds": 7.0})
    stopwatch.on_train_start(MagicMock(), MagicMock())
    stopwatch.on_train_end(MagicMock(), MagicMock())
    assert stopwatch.state_dict() == {"seconds": 12.0}


class Line(L.LightningModule):
    """Learns nothing, and validates."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.weight.sum()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/nll", 0.5)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def test_validations_say_how_long_training_took(tmp_path: Path):
    stopwatch = Stopwatch()
    stopwatch.load_state_dict({"seconds": 100.0})
    logger = MetricsFile(RunFolder.create(tmp_path, "line", "run"))
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary"), False)
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=[stopwatch],
        logger=logger,
        **quiet,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
    )
    data = DataLoader(torch.zeros(2, 1))
    trainer.fit(Line(), data, data)
    with open(tmp_path / "line/run/metrics.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/nll"]]
    first, second = (float(row["seconds"]) for row in rows)
    assert 100 < first < second <= stopwatch.seconds + 1e-3
    trainer.validate(Line(), data, verbose=False)
    assert len(rows) == 2 and "seconds" not in trainer.callback_metrics, "no training was going on"
