"""A run's folder: the one of its checkpoint, or a new one that is removed if nothing begins."""

from pathlib import Path

import pytest

from lightning_modules.command_line.run_setup import continued_folder, new_folder, remove_unbegun
from lightning_modules.command_line.usage_error import UsageError


def test_a_run_that_has_not_begun_leaves_nothing(tmp_path: Path) -> None:
    folder, other = (new_folder(str(tmp_path), "maze", name) for name in ("run", "other"))
    folder.wandb_id.write_text("maze-run-1", encoding="utf-8")
    (folder.path / "tensorboard").mkdir()
    folder.model.touch()
    remove_unbegun(folder)
    assert list((tmp_path / "maze").iterdir()) == [other.path]
    remove_unbegun(other)
    assert not (tmp_path / "maze").exists()
    remove_unbegun(other)


def test_a_checkpoint_is_continued_in_its_run_only(tmp_path: Path) -> None:
    folder = new_folder(str(tmp_path), "maze", "run")
    folder.checkpoints.mkdir()
    folder.last_checkpoint.touch()
    checkpoint = str(folder.last_checkpoint)
    options = {"--run": "run", "--experiment": "maze"}
    for given in ({}, options):
        found = continued_folder(checkpoint, given)
        assert found is not None and found.path.samefile(folder.path)
    with pytest.raises(UsageError, match="^run: the command continues its checkpoint's run"):
        continued_folder(checkpoint, {"--run": "other"})
    assert continued_folder(None, {"--run": "other"}) is None
    assert continued_folder(str(tmp_path / "weights.ckpt"), {"--run": "other"}) is None


def test_a_place_that_is_a_file_holds_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="^trainer.default_root_dir: cannot create .*file/maze"):
        new_folder(str(tmp_path / "file"), "maze", "run")
