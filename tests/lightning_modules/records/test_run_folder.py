"""Names of runs and of their files."""

from pathlib import Path

import pytest

from lightning_modules.records.run_folder import LONGEST_NAME, RunFolder, unusable


def test_taken_name_gets_a_number(tmp_path: Path):
    names = [RunFolder.create(tmp_path, "maze", "run").run for _ in range(3)]
    assert names == ["run", "run-2", "run-3"]


def test_process_that_never_writes_makes_no_folder(tmp_path: Path):
    assert not RunFolder.create(tmp_path, "maze", "run", on_disk=False).path.exists()


def test_folder_is_found_from_its_checkpoint(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "maze", "run")
    found = RunFolder.of_checkpoint(folder.last_checkpoint)
    assert found == folder
    assert (found.experiment, found.run) == ("maze", "run")


def test_folder_is_found_from_inside_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = RunFolder.create(tmp_path, "maze", "run")
    folder.checkpoints.mkdir()
    for place, checkpoint in ((folder.path, "checkpoints/a.ckpt"), (folder.checkpoints, "a.ckpt")):
        monkeypatch.chdir(place)
        found = RunFolder.of_checkpoint(Path(checkpoint))
        assert found is not None and found.path.absolute() == folder.path


def test_checkpoint_elsewhere_has_no_run(tmp_path: Path):
    assert RunFolder.of_checkpoint(tmp_path / "downloaded.ckpt") is None


@pytest.mark.parametrize("name", ["run", "größer → 1", "a.b", "-x", " a", "x" * LONGEST_NAME])
def test_names_of_folders(name: str):
    assert unusable(name) is None


@pytest.mark.parametrize("name, reason", [
    ("", "is empty"),
    (" ", "is empty"),
    (".", "begins with a dot"),
    ("..", "begins with a dot"),
    (".hidden", "begins with a dot"),
    ("../../x", "begins with a dot"),
    ("x/../../y", "would be in another folder"),
    ("/tmp/x", "would be in another folder"),
    ("a\\b", "would be in another folder"),
    ("a\0b", "control characters"),
    ("a\nb", "control characters"),
    ("l\udcfcufe", "bytes that are not text"),
    ("ü" * 123, "has 246 bytes"),
])  # fmt: skip
def test_names_that_would_lead_elsewhere_or_nowhere(name: str, reason: str):
    assert reason in str(unusable(name))
