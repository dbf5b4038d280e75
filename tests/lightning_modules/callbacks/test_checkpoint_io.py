"""All checkpoints of a trainer are written beside their destination."""

import tempfile
from math import inf
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules.callbacks import checkpoint_io, checkpoints
from lightning_modules.callbacks.checkpoint_io import CheckpointFiles, UnsavedState
from lightning_modules.records.checkpoint_file import FORMAT, checksum_holds
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.callbacks.small_trainings import fit, saved, trainer_of


def test_no_temporary_folder_is_needed(tmp_path: Path, monkeypatch) -> None:
    """Lightning moved every checkpoint through it, by copying if it lies elsewhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder = RunFolder(tmp_path / "run")
    users = ModelCheckpoint(tmp_path / "mine", "{step}", every_n_train_steps=2, save_top_k=-1)
    fit(trainer_of(folder, users))
    mine = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert mine == ["step=2.ckpt", "step=4.ckpt", "step=6.ckpt"]
    for path in [*folder.checkpoints.iterdir(), *(tmp_path / "mine").iterdir()]:
        assert checksum_holds(path) is True
        assert torch.load(path, weights_only=True)["format"] == FORMAT


def test_a_full_disk_costs_no_state_and_no_training(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = RunFolder(tmp_path / "run")
    users = ModelCheckpoint(tmp_path / "mine", "{step}", every_n_train_steps=1, save_top_k=1)
    write, full = checkpoint_io.write_durably, [False]

    def sometimes(path: Path, content: bytes) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoint_io, "write_durably", sometimes)
    fit(trainer_of(folder, users, max_steps=2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ckpt")}
    full[0] = True
    capsys.readouterr()
    trainer = trainer_of(folder, users, max_steps=4)
    # The final state is lost: that is no success.
    with pytest.raises(UnsavedState, match="after step 4 could not .*last.ckpt: No space"):
        fit(trainer, resume=folder.last_checkpoint)
    assert trainer.global_step == 4
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.ckpt")} == before
    lines = capsys.readouterr().out.splitlines()
    complaints = [line for line in lines if "No space left on device" in line]
    assert any("last.ckpt" in line and "earlier checkpoints are" in line for line in complaints)
    full[0] = False
    fit(trainer_of(folder, users, max_steps=5), resume=folder.last_checkpoint)
    assert saved(folder.last_checkpoint)[0] == 5


def test_a_write_that_failed_in_the_last_step_is_tried_again(tmp_path: Path, monkeypatch) -> None:
    folder = RunFolder(tmp_path / "run")
    write, failures = checkpoint_io.write_durably, []

    def fails_once(path: Path, content: bytes) -> None:
        if trainer.global_step == 6 and not failures:
            failures.append(path)
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoint_io, "write_durably", fails_once)
    monkeypatch.setattr(checkpoints, "MOST_OF_TIME", inf)
    trainer = trainer_of(folder, seconds=(0.0, 0.0), limit_val_batches=0)
    fit(trainer)
    assert failures == [folder.last_checkpoint]
    assert saved(folder.last_checkpoint)[0] == 6


def test_a_damaged_file_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    CheckpointFiles().save_checkpoint({"weight": torch.ones(100)}, path)
    file = bytearray(path.read_bytes())
    file[len(file) // 2] ^= 4
    path.write_bytes(file)
    with pytest.raises(ValueError, match="a.ckpt is damaged"):
        CheckpointFiles().load_checkpoint(path)
