"""A checkpoint brings the settings of its run."""

from pathlib import Path

import pytest

from lightning_modules.command_line.checkpoint_settings import options_of, with_config_of_run
from lightning_modules.records.run_folder import RunFolder


def test_the_last_value_of_an_option_counts_however_it_is_written() -> None:
    words = ["fit", "--run", "a", "--run=b", "--config=x=y.yaml", "--flag"]
    options = options_of(words)
    assert (options["--run"], options["--config"], options["--flag"]) == ("b", "x=y.yaml", "")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "maze", "run")
    folder.checkpoints.mkdir()
    folder.last_checkpoint.touch()
    return folder


def test_a_runs_checkpoint_brings_its_config(folder: RunFolder) -> None:
    words = ["test", f"--ckpt_path={folder.last_checkpoint}"]
    assert with_config_of_run(words) == words, "the run has left no settings"
    folder.config.touch()
    assert with_config_of_run(words) == ["test", f"--config={folder.config}", words[1]]


@pytest.mark.parametrize("named", ["--config=x.yaml", "-c=x.yaml"])
def test_a_config_that_is_named_is_the_only_one(folder: RunFolder, named: str) -> None:
    folder.config.touch()
    words = ["test", named, f"--ckpt_path={folder.last_checkpoint}"]
    assert with_config_of_run(words) == words


def test_a_checkpoint_of_no_run_brings_nothing(tmp_path: Path) -> None:
    words = ["test", f"--ckpt_path={tmp_path}/weights.ckpt"]
    assert with_config_of_run(words) == words
