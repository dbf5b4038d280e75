"""When states are saved, which are kept, and what happens to damaged ones."""

import shutil
from math import inf
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from lightning_modules.callbacks import checkpoints
from lightning_modules.records.durable_file import unfinished_file
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.callbacks.small_trainings import fit, saved, trainer_of


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture
def saves_every_step(monkeypatch) -> tuple[float, float]:
    """Writing is free, and always due."""
    monkeypatch.setattr(checkpoints, "MOST_OF_TIME", inf)
    return 0.0, 0.0


class Clock(L.Callback):
    """Moves the time on by some seconds with every batch, and notes what is saved after it."""

    def __init__(self, folder: RunFolder, seconds: float) -> None:
        self.folder, self.seconds, self.now = folder, seconds, 0.0
        self.steps: list[int | None] = []

    def monotonic(self) -> float:
        return self.now

    def on_train_batch_start(self, *arguments: Any) -> None:
        last = self.folder.last_checkpoint
        self.steps.append(saved(last)[0] if last.exists() else None)
        self.now += self.seconds


def test_the_first_state_is_saved_soon_and_two_are_kept(folder: RunFolder, monkeypatch) -> None:
    clock = Clock(folder, 11.0)
    monkeypatch.setattr(checkpoints, "time", clock)
    trainer = trainer_of(folder, clock, max_steps=9, seconds=(20.0, 60.0), limit_val_batches=0)
    fit(trainer)
    # After 22 seconds, then after 60 more.
    assert clock.steps == [None, None, *[2] * 6, 8]
    assert saved(folder.last_checkpoint)[0] == 9
    assert saved(folder.previous_checkpoint)[0] == 8
    assert len(list(folder.checkpoints.iterdir())) == 2


def test_a_state_is_never_that_of_half_a_step(folder: RunFolder, saves_every_step) -> None:
    class Crash(L.Callback):
        def on_before_optimizer_step(self, trainer: L.Trainer, *arguments: Any) -> None:
            if trainer.global_step == 3:
                raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        fit(trainer_of(folder, Crash(), seconds=saves_every_step))
    assert saved(folder.last_checkpoint)[0] == 3
    assert saved(folder.previous_checkpoint)[0] == 2


def test_no_state_is_saved_while_gradients_accumulate(
    folder: RunFolder, saves_every_step, monkeypatch
) -> None:
    """Running means, as of batch normalisation, would be those of half a step."""
    trainer = trainer_of(
        folder,
        seconds=saves_every_step,
        max_steps=4,
        accumulate_grad_batches=2,
        limit_val_batches=0,
    )
    save, batches = trainer.save_checkpoint, []

    def noting(*arguments: Any, **settings: Any) -> None:
        batches.append(trainer.fit_loop.epoch_loop.batch_progress.total.processed)
        save(*arguments, **settings)

    monkeypatch.setattr(trainer, "save_checkpoint", noting)
    fit(trainer)
    # An epoch's fifth batch is a step of its own.
    assert batches == [2, 4, 5, 7]


def test_a_damaged_state_does_not_replace_an_intact_one(
    folder: RunFolder, saves_every_step
) -> None:
    fit(trainer_of(folder, seconds=saves_every_step, limit_val_batches=0))
    last = bytearray(folder.last_checkpoint.read_bytes())
    last[len(last) // 2] ^= 1
    folder.last_checkpoint.write_bytes(last)
    unfinished_file(folder.last_checkpoint).touch()
    assert saved(folder.previous_checkpoint)[0] == 5
    fit(trainer_of(folder, max_steps=7, limit_val_batches=0), folder.previous_checkpoint)
    assert saved(folder.last_checkpoint)[0] == 7
    assert saved(folder.previous_checkpoint)[0] == 5
    assert len(list(folder.checkpoints.iterdir())) == 2


def test_a_finished_training_is_not_saved_twice(folder: RunFolder) -> None:
    fit(trainer_of(folder))
    before = folder.last_checkpoint.read_bytes()
    fit(trainer_of(folder), resume=folder.last_checkpoint)
    assert folder.last_checkpoint.read_bytes() == before
    assert not folder.previous_checkpoint.exists()


def test_slow_writes_are_rare(folder: RunFolder, monkeypatch) -> None:
    clock = Clock(folder, 11.0)
    monkeypatch.setattr(checkpoints, "time", clock)
    trainer = trainer_of(folder, clock, max_steps=40, seconds=(20.0, 60.0), limit_val_batches=0)
    save = trainer.save_checkpoint

    def slowly(*arguments: Any, **settings: Any) -> None:
        clock.now += 6.0
        save(*arguments, **settings)

    monkeypatch.setattr(trainer, "save_checkpoint", slowly)
    fit(trainer)
    # 6 seconds are 3% of 200.
    assert sorted(set(clock.steps) - {None}) == [2, 21]


def test_a_moved_run_remembers_its_best_state(folder: RunFolder, tmp_path: Path) -> None:
    fit(trainer_of(folder))
    moved = RunFolder(tmp_path / "moved")
    shutil.move(folder.path, moved.path)
    worse = trainer_of(moved, max_steps=7)
    best = worse.checkpoint_callbacks[0]
    best.check_monitor_top_k = lambda trainer, current=None: (
        float(current)
        < float(  # type: ignore
            best.best_model_score
        )
    )
    fit(worse, resume=moved.last_checkpoint)
    assert best.best_model_path == str(moved.best_checkpoint)
    assert len(best.best_k_models) == 1
    assert saved(moved.best_checkpoint)[0] == 7
