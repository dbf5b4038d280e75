"""A checkpoint brings the settings of its run."""

from pathlib import Path

import pytest

from lightning_modules.command_line.checkpoint_settings import options_of, with_config_of_run
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.checkpoint_file import sealed
from lightning_modules.records.durable_file import write_durably
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
    with pytest.raises(UsageError, match="is in a run without a config.yaml"):
        with_config_of_run(words)
    folder.config.touch()
    assert with_config_of_run(words) == ["test", f"--config={folder.config}", words[1]]


@pytest.mark.parametrize("named", ["--config=x.yaml", "-c=x.yaml"])
def test_a_config_that_is_named_is_the_only_one(folder: RunFolder, named: str) -> None:
    folder.config.touch()
    words = ["test", named, f"--ckpt_path={folder.last_checkpoint}"]
    assert with_config_of_run(words) == words


def test_a_checkpoint_of_no_run_brings_nothing(tmp_path: Path) -> None:
    (tmp_path / "weights.ckpt").touch()
    words = ["test", f"--ckpt_path={tmp_path}/weights.ckpt"]
    with pytest.raises(UsageError, match="weights.ckpt is not in a run's folder"):
        with_config_of_run(words)
    named = [*words, "--model=GTMM", "--data=MNISTMaze"]
    assert with_config_of_run(named) == named


def test_the_newest_checkpoint_of_an_experiment_brings_its_config(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "maze", "run")
    place = ["--experiment=maze", f"--trainer.default_root_dir={tmp_path}"]
    with pytest.raises(
        UsageError, match="maze has no checkpoint yet; name the experiment to train with"
    ):
        with_config_of_run(["fit", "--ckpt_path=last", *place])
    write_durably(folder.last_checkpoint, sealed(b"PK??"))
    folder.config.touch()
    found = with_config_of_run(["fit", "--ckpt_path=last", *place])
    assert found[1] == f"--config={folder.config}"
    assert options_of(found)["--ckpt_path"] == str(folder.last_checkpoint)
