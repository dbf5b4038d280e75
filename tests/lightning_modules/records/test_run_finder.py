"""Where runs are found, and messages on folders without runs or that cannot be read."""

from pathlib import Path

import pytest

from lightning_modules.records.problems import NoRuns
from lightning_modules.records.run_finder import NOTHING_THERE, find_runs


def made(path: Path) -> Path:
    """A run's folder with a file that need not be readable."""
    path.mkdir(parents=True)
    (path / "metrics.csv").touch()
    return path


def test_links_that_lead_back_are_not_followed(tmp_path: Path):
    run = made(tmp_path / "runs/a/b")
    for name in ("again", "and_again"):
        (tmp_path / "runs/a" / name).symlink_to("..")
    assert find_runs([tmp_path / "runs"]) == ([run], [])


def test_a_file_that_cannot_be_followed_still_makes_a_run(tmp_path: Path):
    run = tmp_path / "runs/a"
    run.mkdir(parents=True)
    (run / "results.json").symlink_to("results.json")
    assert find_runs([tmp_path / "runs"]) == ([run], [])


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run, closed = made(tmp_path / "runs/a"), tmp_path / "runs/b"
    closed.mkdir()
    (tmp_path / "runs/c/d").mkdir(parents=True)
    iterdir = Path.iterdir

    def refuse(path: Path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert find_runs([tmp_path / "runs"]) == (
        [run],
        [(closed, "cannot be read: Permission denied"), (tmp_path / "runs/c", NOTHING_THERE)],
    )
    assert find_runs([closed]) == ([], [(closed, "cannot be read: Permission denied")])


def test_there_must_be_a_folder(tmp_path: Path):
    with pytest.raises(NoRuns, match="there is no folder .*none"):
        find_runs([tmp_path / "none"])


def test_a_run_that_diverged_before_it_was_validated_says_when(tmp_path: Path):
    run, diverged = made(tmp_path / "runs/a"), tmp_path / "runs/b"
    (diverged / "diverged").mkdir(parents=True)
    for step in (95, 103):
        (diverged / f"diverged/step_{step}.pt").touch()
    said = "diverged in step 95, before its first validation"
    assert find_runs([tmp_path / "runs"]) == ([run], [(diverged, said)])
