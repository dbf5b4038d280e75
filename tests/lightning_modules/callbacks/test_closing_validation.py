"""No training ends unmeasured, and none is measured twice."""

from math import inf
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from lightning_modules.callbacks import checkpoints
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.callbacks.small_trainings import fit, trainer_of


@pytest.mark.parametrize(
    ("settings", "validated"),
    [
        ({"max_steps": 6}, [4, 6]),
        ({"max_steps": 8}, [4, 8]),
        ({"max_steps": 3}, [3]),
        ({"max_steps": -1, "max_epochs": 1}, [4, 5]),
        ({"max_steps": -1, "max_epochs": 2, "accumulate_grad_batches": 2}, [2, 4, 6]),
        ({"max_steps": 3, "val_check_interval": 1.0, "check_val_every_n_epoch": 1}, [3]),
        ({"max_steps": 3, "limit_val_batches": 0}, []),
    ],
)
def test_the_last_step_is_validated_once(
    settings: dict[str, Any], validated: list[int], tmp_path: Path
) -> None:
    assert fit(trainer_of(RunFolder(tmp_path), **settings)).validated == validated


def test_what_a_callback_ends_is_validated(tmp_path: Path) -> None:
    class EndOfEpoch(L.Callback):
        def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            trainer.should_stop = True

    trainer = trainer_of(RunFolder(tmp_path), EndOfEpoch(), max_steps=20)
    assert fit(trainer).validated == [4, 5]


def test_a_validation_that_was_cut_off_at_the_end_is_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_OF_TIME", inf)

    class Kill(L.Callback):
        def on_validation_batch_end(self, trainer: L.Trainer, *arguments: Any) -> None:
            if trainer.global_step == 6:
                raise RuntimeError

    folder = RunFolder(tmp_path)
    with pytest.raises(RuntimeError):
        fit(trainer_of(folder, Kill(), seconds=(0.0, 0.0)))
    model = fit(trainer_of(folder), resume=folder.last_checkpoint)
    assert (model.validated, model.global_step) == ([6], 6)
    assert fit(trainer_of(folder), resume=folder.last_checkpoint).validated == []
