"""Names of runs and of what is in them."""

from pathlib import Path

from lightning_modules.records.run_folder import RunFolder


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


def test_checkpoint_elsewhere_has_no_run(tmp_path: Path):
    assert RunFolder.of_checkpoint(tmp_path / "downloaded.ckpt") is None
