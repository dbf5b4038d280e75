"""How a sweep runs its processes: a program stands in for training and the test."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState

from lightning_modules.command_line.exit_status import DIVERGED, INTERRUPTED, TERMINATED
from lightning_modules.command_line.sweep import execution as module
from lightning_modules.command_line.sweep import process
from lightning_modules.command_line.sweep.command import conclude, status_of
from lightning_modules.command_line.sweep.execution import Execution, to_go
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.command_line.sweep.study import Proposal, SweepStudy
from lightning_modules.records.run_folder import RunFolder

#: Writes what the real one would. Run n validates with 10 - n; all but the first go on for ever
#: where there is a file `slow`, and take 0.7 seconds where there is one `steady`. Run 2 fails where
#: there is a file `broken`, and ends untrained with what a file `status` says.
PROGRAM = """
import signal, sys, time
from pathlib import Path

command, *options = sys.argv[1:]
root = Path({root!r})
if command == "test":
    folder = Path(options[0].partition("=")[2]).parents[1]
    if (root / "untestable").exists():
        sys.exit("no test")
    (folder / "results.json").write_text("")
    sys.exit()
options = dict(option[2:].split("=") for option in options)
folder, number = root / options["run"], int(options["run"])
if number == 2 and (root / "broken").exists():
    sys.exit("it is broken")
if number == 2 and (root / "status").exists():
    sys.exit(int((root / "status").read_text()))

def save(*_):
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints/last.ckpt").touch()

def interrupted(*_):
    save()
    sys.exit(130)

signal.signal(signal.SIGINT, interrupted)
folder.mkdir(exist_ok=True)
(folder / "metrics.csv").write_text("step,val/x\\n" + f"1,0\\n2,{{10 - number}}\\n")
print("validated", flush=True)
if (root / "steady").exists():
    print("step 1,151 of 3,000 (measured at step 1,150): train/bound -9", flush=True)
    time.sleep(0.7)
if number > 1 and (root / "slow").exists():
    time.sleep(60)
save()
"""
PRUNING = {"type": "hyperband", "min_iter": 1, "eta": 2}


@pytest.fixture
def execution(
    opened: Callable[..., SweepStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Execution]:
    """Opens a sweep of three runs, a new one or that of before."""
    (tmp_path / "program.py").write_text(PROGRAM.format(root=str(tmp_path)), encoding="utf-8")
    monkeypatch.setattr(process, "PROGRAM", tmp_path / "program.py")
    monkeypatch.setattr(module, "LOOK", 0.1)
    monkeypatch.setattr(module, "PAUSE", 0.02)

    def planned(proposal: Proposal) -> PlannedRun:
        name = f"{proposal.number:03d}"
        return PlannedRun(proposal, RunFolder(tmp_path / name), (f"--run={name}",))

    def made(jobs: int = 1, test: bool = True, **content: Any) -> Execution:
        study = opened("random", {"x": {"min": 0.0, "max": 1.0}}, **content)
        plan: Any = SimpleNamespace(file=study.file, folder=tmp_path, run=planned)
        return Execution(plan, study, 3, jobs, 1, test, [])

    return made


def states(execution: Execution) -> list[TrialState]:
    return [trial.state for trial in execution.study.study.get_trials()]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.partition(", log: ")[0] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("took", "left", "going", "jobs", "said"),
    [
        ([60, 120], 3, 2, 2, "; 3 left, about 1 min 30 s"),  # 90 s x (1 + 2 / 2) / 2 jobs
        ([60, 120], 1, 1, 2, "; 1 left, about 45 s"),  # the second job has nothing to do
        ([3600], 10, 1, 1, "; 10 left, about 9 h 30 min"),
        ([60], 0, 0, 2, ""),
        ([], 5, 1, 1, ""),
    ],
)
def test_the_time_to_go(took: list[float], left: int, going: int, jobs: int, said: str) -> None:
    assert to_go(took, left, going, jobs) == said


def test_worse_runs_are_pruned_and_left_alone(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow").touch()
    began = time.monotonic()
    first = execution(early_terminate=PRUNING)
    first.run()
    assert time.monotonic() - began < 50
    assert first.ended == {"finished": 1, "pruned": 2}
    assert states(first) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    said = lines(capsys)
    assert [line.split()[:3] for line in said] == [
        [f"{n}/3", f"00{n}:", word]
        for n, end in ((1, "finished"), (2, "pruned"), (3, "pruned"))
        for word in ("starts", end)
    ]
    scores = [line.partition(";")[0].split(", ")[-1] for line in said[1::2]]
    assert scores == ["val/x 9", "val/x 8", "val/x 7"]
    assert [line.partition("; ")[2][:13] for line in said[1::2]] == [
        "2 left, about",
        "1 left, about",
        "",
    ]
    # They have saved their state, and are not tested.
    tested = [path.parent.name for path in tmp_path.glob("*/results.json")]
    assert tested == ["001"]
    assert len([*tmp_path.glob("*/checkpoints/last.ckpt")]) == 3
    again = execution(early_terminate=PRUNING)
    again.run()
    assert again.ended == {"finished": 1, "pruned": 2}
    assert lines(capsys) == []


def test_a_line_says_at_which_step_a_run_is_unless_one_says_that_already(
    execution: Callable[..., Execution],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Steps in the log of an earlier process are not those of this one."""
    assert module.REPORT == 60
    monkeypatch.setattr(module, "REPORT", 0.05)
    (tmp_path / "steady").touch()
    (tmp_path / "001.log").write_text("step 2,900 of 3,000: train/bound -3\n", encoding="utf-8")
    execution(jobs=3).run()
    said = lines(capsys)
    for number in (1, 2, 3):
        own = [line for line in said if line.startswith(f"{number}/3 ")]
        assert own[:2] == [
            f"{number}/3 00{number}: starts",
            f"{number}/3 00{number}: step 1,151 of 3,000",
        ]
        assert len(own) == 3 and "finished" in own[2]


def test_nothing_is_pruned_unless_the_file_says_so(execution: Callable[..., Execution]) -> None:
    without = execution()
    without.run()
    assert without.ended == {"finished": 3}
    assert states(without) == [TrialState.COMPLETE] * 3
    assert [trial.value for trial in without.study.study.get_trials()] == [9.0, 8.0, 7.0]


def test_a_failed_run_stops_no_other_and_is_tried_again(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").touch()
    first = execution()
    first.run()
    assert first.ended == {"finished": 2, "failed": 1}
    failed = next(line for line in lines(capsys) if "failed" in line)
    assert "2/3 002: failed after " in failed
    assert f": it is broken ({tmp_path}/002.log)" in failed
    (tmp_path / "broken").unlink()
    again = execution()
    again.run()
    assert again.ended == {"finished": 3}
    said = lines(capsys)
    assert said[0] == "2/3 002: starts"
    assert said[1].startswith("2/3 002: finished in ") and len(said) == 2


def test_a_run_that_diverged_is_no_result_and_is_left_alone(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status").write_text(str(DIVERGED), encoding="utf-8")
    first = execution()
    first.run()
    said = lines(capsys)
    assert said[3].startswith("2/3 002: diverged after ")
    assert f" ({tmp_path}/002.log); 1 left, about " in said[3]
    assert said[4] == "3/3 003: starts"
    assert states(first) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    assert first.study.study.get_trials()[1].user_attrs == {"diverged": True}
    (tmp_path / "status").unlink()
    again = execution()
    again.run()
    assert lines(capsys) == []
    for found in (first, again):
        assert found.ended == {"finished": 2, "diverged": 1}
        conclude(found, "again")
        assert status_of(found) == 0
        concluded = capsys.readouterr().out.splitlines()
        assert concluded[1:3] == ["2 of 3 runs finished, 1 diverged", "Diverged: 002"]


@pytest.mark.parametrize("status", [INTERRUPTED, TERMINATED])
def test_a_run_that_somebody_else_ended_goes_on_next_time(
    execution: Callable[..., Execution],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
) -> None:
    (tmp_path / "status").write_text(str(status), encoding="utf-8")
    first = execution()
    first.run()
    assert first.ended == {"finished": 2, "interrupted": 1}
    assert states(first) == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.COMPLETE]
    conclude(first, "again")
    assert status_of(first) == 1
    said = capsys.readouterr().out
    assert "2/3 002: interrupted after " in said
    assert "2 of 3 runs finished, 1 interrupted\nContinue the interrupted ones: again" in said
    (tmp_path / "status").unlink()
    again = execution()
    again.run()
    assert again.ended == {"finished": 3}
    assert len(states(again)) == 3


def test_a_failed_test_never_costs_a_training(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What begins again is deleted, and nobody has to keep checkpoints."""
    (tmp_path / "untestable").touch()
    for said in ("starts", "is tested"):
        failing = execution()
        failing.run()
        assert failing.ended == {"failed": 3}
        assert states(failing) == [TrialState.COMPLETE] * 3
        assert lines(capsys)[0] == f"1/3 001: {said}"
    (tmp_path / "untestable").unlink()
    written = (tmp_path / "001/metrics.csv").stat().st_mtime_ns
    then = execution()
    then.run()
    assert then.ended == {"finished": 3}
    assert (tmp_path / "001/metrics.csv").stat().st_mtime_ns == written


def test_what_was_only_trained_is_tested_later(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execution(test=False).run()
    assert not [*tmp_path.glob("*/results.json")]
    lines(capsys)
    then = execution(jobs=3)
    then.run()
    assert then.ended == {"finished": 3}
    assert sum("is tested" in line for line in lines(capsys)) == 3
    assert len([*tmp_path.glob("*/results.json")]) == 3


def test_a_stop_lets_runs_save_what_they_have(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow").touch()
    stopped = execution(jobs=2)
    logs = [tmp_path / "002.log", tmp_path / "003.log"]

    class WhenBothTrain(list[int]):
        """Somebody presses Ctrl-C as soon as two runs have validated."""

        def __bool__(self) -> bool:
            if not len(self) and all(
                log.exists() and log.read_text(encoding="utf-8") for log in logs
            ):
                self.append(signal.SIGINT)
            return len(self) > 0

    stopped.stop = WhenBothTrain()
    stopped.run()
    assert stopped.ended == {"finished": 1}
    assert states(stopped) == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.RUNNING]
    assert "Waiting for 2 runs to save their state" in lines(capsys)
    assert len([*tmp_path.glob("*/checkpoints/last.ckpt")]) == 3
    (tmp_path / "slow").unlink()
    then = execution()
    then.run()
    assert then.ended == {"finished": 3}
    said = lines(capsys)
    assert said[::2] == ["2/3 002: continues", "3/3 003: continues"]
    # What was left of a resumed run says nothing about a whole one.
    assert "; 1 left" not in said[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a log is")
def test_a_stop_ends_what_an_earlier_sweep_has_left(
    execution: Callable[..., Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that outlived its sweep is asked to save its state, instead of waited for."""
    (tmp_path / "slow").touch()
    later = execution()
    _, second, *_ = later.study.proposals(3)
    later._proposals = iter([second])
    orphan = process.start(later.plan.run(second), process.training, 1)
    assert orphan is not None
    while "validated" not in (tmp_path / "002.log").read_text(encoding="utf-8"):
        time.sleep(0.02)

    class OnceItWaits(list[int]):
        """Somebody presses Ctrl-C when the sweep says what it waits for."""

        said = ""

        def __bool__(self) -> bool:
            self.said += capsys.readouterr().out
            if not len(self) and "waits for its earlier process" in self.said:
                self.append(signal.SIGINT)
            return len(self) > 0

    stop = later.stop = OnceItWaits()
    began = time.monotonic()
    later.run()
    assert time.monotonic() - began < 50
    assert orphan.wait() == INTERRUPTED
    assert (tmp_path / "002/checkpoints/last.ckpt").exists()
    assert "Waiting for 1 run to save its state" in stop.said + capsys.readouterr().out
    assert later.ended == {}
    assert states(later)[1] is TrialState.RUNNING


def test_no_run_is_left_behind_by_a_failure(
    execution: Callable[..., Execution], tmp_path: Path
) -> None:
    """The disk is full, say, when the third run is to begin."""
    (tmp_path / "slow").touch()
    failing = execution(jobs=2)
    proposals = iter(failing.study.proposals(3))
    next(proposals)

    def full() -> Iterator[Proposal]:
        while not (tmp_path / "002.log").exists() or not (tmp_path / "002.log").read_text(
            encoding="utf-8"
        ):
            time.sleep(0.05)
        raise OSError("no space left")
        yield

    failing._proposals = chain([next(proposals)], full())
    with pytest.raises(OSError, match="no space left"):
        failing.run()
    assert (tmp_path / "002/checkpoints/last.ckpt").exists()


def test_a_second_stop_ends_runs_at_once(
    execution: Callable[..., Execution], tmp_path: Path
) -> None:
    deaf = PROGRAM.replace("signal.signal(signal.SIGINT, interrupted)", "")
    deaf = deaf.replace("import signal,", "import signal; signal.signal(2, signal.SIG_IGN); import")
    (tmp_path / "program.py").write_text(deaf.format(root=str(tmp_path)), encoding="utf-8")
    (tmp_path / "slow").touch()
    stopped = execution()
    _, second, *_ = stopped.study.proposals(3)
    stopped._proposals = iter([second])

    class Twice(list[int]):
        """Somebody presses Ctrl-C when the run has validated, and again when that was no use."""

        def __len__(self) -> int:
            log = tmp_path / "002.log"
            if not log.exists() or "validated" not in log.read_text(encoding="utf-8"):
                return 0
            self.looks = getattr(self, "looks", 0) + 1
            return 1 if self.looks < 20 else 2

        def __bool__(self) -> bool:
            return len(self) > 0

    stopped.stop = Twice()
    began = time.monotonic()
    stopped.run()
    assert time.monotonic() - began < 50
    assert not (tmp_path / "002/checkpoints/last.ckpt").exists()
    assert states(stopped)[1] is TrialState.RUNNING
