"""What a sweep remembers of its runs, and what it does with what they left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from lightning_modules.command_line.sweep.execution import Execution
from lightning_modules.command_line.sweep.lock import only_sweep_in
from lightning_modules.command_line.sweep.plan import PlannedRun, argument
from lightning_modules.command_line.sweep.run_processes import RunProcesses, commands
from lightning_modules.command_line.sweep.score import last_logged
from lightning_modules.command_line.sweep.state_file import NAME, StateFile, Status
from lightning_modules.command_line.sweep.trials import Trial
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> PlannedRun:
    folder = RunFolder(tmp_path / "sweep/one")
    return PlannedRun(Trial(1, {"x": 0.1}), folder, ("--x=0.1", "--run=one"))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_state_is_read_as_it_was_written(run: PlannedRun, tmp_path: Path) -> None:
    state = StateFile(tmp_path / "sweep")
    assert state.find(run) is None
    record = state.begin(run)
    record.status, record.score = Status.TRAINED, -3.25
    state.write()
    again = StateFile(tmp_path / "sweep")
    assert again.records == {"one": record}
    assert again.records["one"].status is Status.TRAINED
    assert again.records["one"].trial == run.trial
    assert again.find(run) == record


def test_state_on_disk_is_never_half_a_file(
    run: PlannedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateFile(tmp_path / "sweep")
    state.begin(run)
    before = state.path.read_text()

    def killed(*paths: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    state.records["one"].status = Status.FAILED
    with pytest.raises(KeyboardInterrupt):
        state.write()
    assert state.path.read_text() == before
    assert StateFile(tmp_path / "sweep").records["one"].status is Status.BEGUN


def test_a_failed_run_begins_again_and_a_trained_one_stays(run: PlannedRun, tmp_path: Path) -> None:
    state = StateFile(tmp_path / "sweep")
    for status, then in {Status.FAILED: Status.BEGUN, Status.TRAINED: Status.TRAINED}.items():
        state.begin(run).status = status
        assert state.begin(run).status is then


@pytest.mark.parametrize("trained", [False, True])
def test_a_failed_test_never_costs_a_training(
    run: PlannedRun, tmp_path: Path, trained: bool
) -> None:
    """What begins again is deleted, and nobody has to keep checkpoints."""
    state = StateFile(tmp_path / "sweep")
    state.begin(run)
    run.log.write_text("no such checkpoint\n")
    execution = Execution(MagicMock(), MagicMock(), state, 1, 1, 1, True, MagicMock())
    ended = MagicMock(run=run, code=2, trained=trained, seconds=1.0)
    ended.reason.return_value = "no such checkpoint"
    execution._conclude(ended)
    assert execution.ended == {"failed": 1}
    then = StateFile(tmp_path / "sweep").records["one"].status
    assert then is (Status.TRAINED if trained else Status.FAILED)
    kept = run.folder.path / "metrics.csv"
    touch(kept)
    next(commands(run, trained=then is Status.TRAINED, test=True))
    assert kept.exists() == trained


def test_other_settings_are_refused(run: PlannedRun, tmp_path: Path) -> None:
    StateFile(tmp_path / "sweep").begin(run)
    other = PlannedRun(run.trial, run.folder, ("--x=0.1", "--trainer.max_steps=9", "--run=one"))
    with pytest.raises(UsageError, match="begun with other settings: --x=0.1 --run=one"):
        StateFile(tmp_path / "sweep").find(other)


def test_state_says_what_it_is(run: PlannedRun, tmp_path: Path) -> None:
    StateFile(tmp_path / "sweep").begin(run)
    (name,) = json.loads((tmp_path / "sweep" / NAME).read_text())["runs"]
    assert name == "one"


def test_a_new_run_is_trained_and_tested(run: PlannedRun) -> None:
    steps = commands(run, trained=False, test=True)
    assert next(steps) == ["fit", "--x=0.1", "--run=one"]
    touch(run.folder.last_checkpoint)
    touch(run.folder.best_checkpoint)
    assert list(steps) == [["test", f"--ckpt_path={run.folder.best_checkpoint}"]]


def test_an_unfinished_run_goes_on_from_its_last_state(run: PlannedRun) -> None:
    touch(run.folder.last_checkpoint)
    last = f"--ckpt_path={run.folder.last_checkpoint}"
    fit = ["fit", "--x=0.1", "--run=one", last]
    assert list(commands(run, trained=False, test=False)) == [fit]
    assert list(commands(run, trained=True, test=True)) == [["test", last]]


def test_a_run_without_a_state_keeps_its_name(run: PlannedRun) -> None:
    touch(run.folder.config)
    assert list(commands(run, trained=False, test=False)) == [["fit", "--x=0.1", "--run=one"]]
    assert not run.folder.path.exists()


def test_a_run_waits_for_processes_from_before(run: PlannedRun) -> None:
    """They hold the lock of the log that they write."""
    run.log.parent.mkdir()
    script = (
        "import fcntl, sys; fcntl.flock(1, fcntl.LOCK_EX); print('.', file=sys.stderr); input()"
    )
    with run.log.open("ab") as log:
        before = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.PIPE,
        )
    assert before.stderr is not None
    before.stderr.readline()
    processes = RunProcesses(run, trained=True, test=False, threads=1)
    assert not processes.advance()
    assert processes.waiting
    before.communicate(b"\n")
    assert processes.advance()


def test_threads_are_shared_unless_the_user_says_otherwise(
    run: PlannedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert RunProcesses(run, False, False, 3)._environment["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert RunProcesses(run, False, False, 3)._environment["OMP_NUM_THREADS"] == "7"


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    with (
        only_sweep_in(tmp_path),
        pytest.raises(UsageError, match="a sweep is running in"),
        only_sweep_in(tmp_path),
    ):
        pass
    with only_sweep_in(tmp_path):
        pass


def test_score_is_the_last_one_logged(run: PlannedRun) -> None:
    assert last_logged(run.folder, "val/nll") is None
    run.folder.path.mkdir(parents=True)
    run.folder.metrics.write_text("step,val/nll,x\n1,3.5,\n2,1.5,nan\n3,,\n")
    assert last_logged(run.folder, "val/nll") == 1.5
    assert last_logged(run.folder, "x") is None
    assert last_logged(run.folder, "y") is None


@pytest.mark.parametrize(
    ("value", "word"),
    [("NTM", "--k=NTM"), (True, "--k=true"), (None, "--k=null"), (1e-5, "--k=1e-05")],
)
def test_values_are_written_as_options(value: object, word: str) -> None:
    assert argument("k", value) == word
