"""A run's processes, and what they are called with."""

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_modules.command_line.sweep import process
from lightning_modules.command_line.sweep.lock import only_sweep_in
from lightning_modules.command_line.sweep.plan import PlannedRun, one_by_one
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder

#: Holds the lock of the log that it writes, as processes of an earlier sweep do.
ORPHAN = "import fcntl, sys; fcntl.flock(1, fcntl.LOCK_EX); print('.', file=sys.stderr); input()"


@pytest.fixture
def run(tmp_path: Path) -> PlannedRun:
    folder = RunFolder(tmp_path / "sweep/one")
    folder.path.parent.mkdir()
    return PlannedRun(Proposal(1, {"x": 0.1}, None), folder, ("--x=0.1", "--run=one"))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_new_run_is_trained_and_tested(run: PlannedRun) -> None:
    assert process.training(run) == ["fit", "--x=0.1", "--run=one"]
    touch(run.folder.last_checkpoint)
    touch(run.folder.best_checkpoint)
    assert process.testing(run) == ["test", f"--ckpt_path={run.folder.best_checkpoint}"]


def test_an_unfinished_run_goes_on_from_its_last_state(run: PlannedRun) -> None:
    touch(run.folder.last_checkpoint)
    last = f"--ckpt_path={run.folder.last_checkpoint}"
    assert process.training(run) == ["fit", "--x=0.1", "--run=one", last]
    assert process.testing(run) == ["test", last]


def test_a_run_without_a_state_keeps_its_name(run: PlannedRun) -> None:
    touch(run.folder.config)
    assert process.training(run) == ["fit", "--x=0.1", "--run=one"]
    assert not run.folder.path.exists()


def test_a_run_waits_for_processes_from_before(
    run: PlannedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is its folder touched as long as they write into it."""
    monkeypatch.setattr(process, "PROGRAM", "-c")
    touch(run.folder.config)
    with run.log.open("ab") as log:
        before = subprocess.Popen(
            [sys.executable, "-c", ORPHAN],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.PIPE,
        )
    assert before.stderr is not None
    before.stderr.readline()
    assert process.start(run, process.training, threads=1) is None
    assert run.folder.config.exists()
    before.communicate(b"\n")
    started = process.start(run, lambda run: ["pass"], threads=1)
    assert started is not None
    assert started.wait() == 0


@pytest.mark.parametrize(("given", "threads"), [(None, "3"), ("7", "7")])
def test_threads_are_shared_unless_the_user_says_otherwise(
    run: PlannedRun, monkeypatch: pytest.MonkeyPatch, given: str | None, threads: str
) -> None:
    monkeypatch.setattr(process, "PROGRAM", "-c")
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    said = "import os; print(os.environ['OMP_NUM_THREADS'])"
    started = process.start(run, lambda run: [said], threads=3)
    assert started is not None
    assert started.wait() == 0
    assert run.log.read_text(encoding="utf-8") == f"{threads}\n"


def test_a_launcher_starts_the_process_with_the_threads_of_its_machine(
    run: PlannedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PROGRAM", "-c")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    said = "import os; print(os.environ['NODE'], os.environ.get('OMP_NUM_THREADS'))"
    started = process.start(run, lambda run: [said], threads=3, launcher=["env", "NODE=n1"])
    assert started is not None
    assert started.wait() == 0
    assert run.log.read_text(encoding="utf-8") == "n1 None\n"


def test_reason_is_the_last_line_or_the_signal(run: PlannedRun) -> None:
    run.log.write_text("Traceback\nValueError: no\n\n", encoding="utf-8")
    assert process.reason(run, 1) == "ValueError: no"
    assert process.reason(run, -9) == "ended by SIGKILL"
    run.log.write_text("\n", encoding="utf-8")
    assert process.reason(run, 1) == "printed nothing"


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    with (
        only_sweep_in(tmp_path),
        pytest.raises(UsageError, match="a sweep is already running in"),
        only_sweep_in(tmp_path),
    ):
        pass
    with only_sweep_in(tmp_path):
        pass


def test_every_example_is_checked_once() -> None:
    values = list(one_by_one({"a": ["DNC", "NTM"], "b": [9, 25, 100]}))
    assert values == [
        {"a": "DNC", "b": 9},
        {"a": "NTM", "b": 9},
        {"a": "DNC", "b": 25},
        {"a": "DNC", "b": 100},
    ]


@pytest.mark.parametrize(
    ("log", "step"),
    [
        ("", ""),
        ("step 1: train/bound -9\n", "step 1"),
        (
            "step 1,151 of 3,000: train/bound -9\nvalidation at step 1,500: bound -8\n",
            "step 1,151 of 3,000",
        ),
        ("step 9 of 60 (measured at step 8): train/bound -9\nstep 10 of 6", "step 9 of 60"),
    ],
)
def test_the_newest_step_of_a_log(run: PlannedRun, log: str, step: str) -> None:
    """Its last line may be incomplete; its first one is an earlier process's here."""
    assert process.newest_step(run) == ""
    run.log.write_text(f"step 7: x\n{log}", encoding="utf-8")
    assert process.newest_step(run, len("step 7: x\n")) == step
