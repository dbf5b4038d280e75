"""The order of a run's callbacks: what a test leaves last says that it is finished."""

from pathlib import Path

import pytest
from jsonargparse import Namespace

from datamodules import MNISTMaze
from lightning_modules import GTMM
from lightning_modules.callbacks import pictures
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.command_line.run_callbacks import run_callbacks
from lightning_modules.records.film_file import Film, load_film
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.quiet_runs import names, trainer


def test_results_come_after_pictures_and_film(
    model: GTMM, maze: MNISTMaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sweeps take a run with results for finished, and never test it again."""
    folder = RunFolder(tmp_path / "run")
    quiet = Namespace(enable_checkpointing=False, enable_progress_bar=False)
    settings = Namespace(seed_everything=0, on_divergence="stop", trainer=quiet)
    saved = "{seed_everything: 0, model: {}, data: {}, trainer: {}}"

    def test() -> None:
        callbacks = run_callbacks(folder, model, settings, saved, StopSignals())
        trainer(folder.path, *callbacks).test(model, maze, verbose=False)

    def full(film: Film, path: Path) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(pictures, "save_film", full)
        with pytest.raises(OSError, match="no space left"):
            test()
    assert "generations_test.png" in names(folder.path)
    assert not folder.results.exists()
    test()
    assert folder.results.exists() and len(load_film(folder.film).frames) == 25
