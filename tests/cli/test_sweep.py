"""Whole sweeps: they resume after a kill, Ctrl-C ends all runs, and results are used.

Starting a process that trains takes seconds: sweeps themselves run in this process, but for the one
that is killed, and a script stands in for runs where what they do is not the point.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import FrozenTrial

from cli import main
from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.sweep import process
from lightning_modules.command_line.sweep.lock import locked
from tests.cli.commands import MAZE, ROOT, UNVALIDATED, begun

pytestmark = pytest.mark.processes

#: Words of a command line, for a sweep's parameters and options.
Words = Callable[..., list[str]]
#: A sweep's output and exit status.
Sweep = Callable[..., tuple[str, int]]
#: No seed can be so large: runs with it build, and fail when they begin.
TOO_LARGE = 2**32


@pytest.fixture
def words(tmp_path: Path, tiny: Callable[..., list[str]]) -> Words:
    """Writes the file of a sweep of small runs; returns the command line that runs it."""

    def written(
        parameters: dict[str, Any], *options: str, method: str = "grid", **others: Any
    ) -> list[str]:
        content = {
            "program": "cli.py",
            "method": method,
            "metric": {"name": "train/bound", "goal": "maximize"},
            "parameters": parameters,
            "command": ["${env}", "${interpreter}", "${program}", "fit", MAZE, "${args}"],
            **others,
        }
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return tiny("sweep", f"{tmp_path}/s.yaml", *options)

    return written


@pytest.fixture
def sweep(
    words: Words, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Sweep:
    """Runs sweeps in this process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(parameters: dict[str, Any], *options: str, **others: Any) -> tuple[str, int]:
        status = 0
        try:
            main(words(parameters, *options, **others))
        except SystemExit as end:
            assert isinstance(end.code, int)
            status = end.code
        said = "".join(capfd.readouterr())
        assert "Traceback" not in said
        return said, status

    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves pictures out of a sweep's runs."""
    monkeypatch.setattr(process, "PROGRAM", ROOT / "tests/cli/without_pictures.py")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def killed(words: Words) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts sweeps as processes, and ends those that remain."""
    started: list[subprocess.Popen[str]] = []

    def start(parameters: dict[str, Any], *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "cli.py", *words(parameters, *options)]
        started.append(begun(command, {**os.environ, "OMP_NUM_THREADS": "1"}))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def read_until(process: subprocess.Popen[str], part: str) -> str:
    """Return the output up to a line with this text."""
    assert process.stdout is not None
    said = ""
    while part not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def trials(runs: Path) -> list[FrozenTrial]:
    """Load the study as Optuna's own tools do."""
    return optuna.load_study(
        study_name="sweep", storage=f"sqlite:///{runs}/s/sweep.db"
    ).get_trials()


def wait_for(log: Path, part: str, seconds: float = 120) -> None:
    """Wait until a run's log contains this text."""
    end = time.monotonic() + seconds
    while not log.exists() or part not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < end, part
        time.sleep(0.02)


def test_a_killed_sweep_goes_on(
    killed: Callable[..., subprocess.Popen[str]], sweep: Sweep, runs: Path
) -> None:
    """One run is finished, one has started, one will fail, and a fourth is beyond the limit.

    Optuna shuffles a grid, always in the same way.
    """
    parameters = {
        "seed_everything": {"values": [7, TOO_LARGE, 0, 1]},
        "model.memory": {"value": "NoMemory"},
    }
    options = "--trials=3", "--no_test", "--trainer.max_steps=120", "--trainer.logger=false"
    options += (UNVALIDATED,)
    names = ("seed0", "seed1", f"seed{TOO_LARGE}")
    finished, begun, failed = (runs / "s" / name for name in names)
    log = begun.with_name(f"{begun.name}.log")
    first = killed(parameters, *options)
    said = read_until(first, f"2/3 {begun.name}: starts")
    wait_for(log, "step 1 ")
    first.kill()
    first.wait()
    assert f"1/3 {finished.name}: finished in " in said
    known = [(trial.params["seed_everything"], trial.state.name) for trial in trials(runs)]
    assert known == [("0", "COMPLETE"), ("1", "RUNNING")]
    saved = (finished / "checkpoints/last.ckpt").stat().st_mtime_ns
    if sys.platform == "linux":  # elsewhere it keeps training, and the sweep waits
        wait_for(log, "; the state is in")

    said, status = sweep(parameters, *options, "--jobs=2")
    assert status == 1, said
    assert finished.name not in said
    assert (finished / "checkpoints/last.ckpt").stat().st_mtime_ns == saved
    assert f"2/3 {begun.name}: finished in " in said
    assert "Restored all states" in log.read_text(encoding="utf-8")
    assert f"3/3 {failed.name}: failed after " in said
    assert f": seed_everything must be from 0 to 4294967295, got {TOO_LARGE} (" in said
    assert f"({failed}.log)" in said
    assert "\n2 of 3 runs finished, 1 failed\n" in said
    assert f"Compare them: {program()} compare {runs}/s --out s.html" in said
    folders = {path.name for path in (runs / "s").iterdir() if path.is_dir()}
    assert folders == {finished.name, begun.name}
    assert [trial.state.name for trial in trials(runs)] == ["COMPLETE", "COMPLETE", "FAIL"]


#: A stand-in for a cluster's launcher: prints the command, and becomes it.
LAUNCHER = '#!/bin/sh\necho "$1 $2" >> {said}\nshift\nexec "$@"\n'


@pytest.mark.usefixtures("undrawn")
def test_a_launcher_starts_trainings_and_tests(sweep: Sweep, runs: Path, tmp_path: Path) -> None:
    launcher, said = tmp_path / "srun", tmp_path / "launched"
    launcher.write_text(LAUNCHER.format(said=said), encoding="utf-8")
    launcher.chmod(0o755)
    parameters = {"seed_everything": {"values": [0]}, "model.memory": {"value": "NoMemory"}}
    options = "--trainer.max_steps=2", UNVALIDATED, f"--launcher={launcher} --gpus=1"
    _, status = sweep(parameters, *options)
    assert status == 0 and (runs / "s/run/results.json").exists()
    assert said.read_text(encoding="utf-8") == 2 * f"--gpus=1 {sys.executable}\n"


@pytest.mark.usefixtures("undrawn")
def test_worse_runs_are_pruned_and_ctrl_c_ends_the_others(
    sweep: Sweep, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first run at a validation continues, so the worse run is one that validates rarely.

    It has learned more until its second validation, for which this sweep rewards nobody.
    """
    intervals = {
        "trainer.val_check_interval": {"values": [40, 1]},
        "seed_everything": {"value": 0},
    }
    options = "--trainer.max_steps=100000", "--no_test"
    rules = {"type": "hyperband", "min_iter": 1, "eta": 2}
    metric = {"name": "val/bound", "goal": "minimize"}
    pruned, going = (runs / f"s/val_check_interval{interval}" for interval in (40, 1))

    def press() -> None:
        try:
            for folder in (pruned, going):
                wait_for(folder.with_name(f"{folder.name}.log"), "validation at step ")
            wait_for(pruned.with_name(f"{pruned.name}.log"), "; the state is in")
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    watcher = Thread(target=press)
    watcher.start()
    said, status = sweep(intervals, *options, "--jobs=2", metric=metric, early_terminate=rules)
    watcher.join()
    assert status == 128 + signal.SIGINT, said
    assert "val_check_interval40: pruned after " in said
    assert "\nWaiting for 1 run to save its state\n" in said or "Waiting for 2 runs" in said
    assert "0 of 2 runs finished, 1 pruned\nContinue: " in said
    assert f"Continue: {program()} sweep " in said
    for folder in (pruned, going):
        log = folder.with_name(f"{folder.name}.log").read_text(encoding="utf-8")
        assert "; the state is in" in log
        assert "Traceback" not in log
        assert (folder / "checkpoints/last.ckpt").exists()
    key = "trainer.val_check_interval"
    states = {trial.params[key]: trial.state.name for trial in trials(runs)}
    assert states == {"40": "PRUNED", "1": "RUNNING"}


@pytest.mark.usefixtures("undrawn")
def test_search_uses_results_and_tests_the_best_state(sweep: Sweep, runs: Path) -> None:
    """A run of Bayesian search, followed by all later steps."""
    validated = "--trainer.max_steps=2", "--trainer.val_check_interval=2"
    rate = {"min": 1.0e-4, "max": 1.0e-2, "distribution": "log_uniform_values"}
    said, status = sweep({"model.learning_rate": rate}, "--trials=1", *validated, method="bayes")
    assert status == 0, said
    (trial,) = trials(runs)
    (name,) = (path.name for path in (runs / "s").iterdir() if path.is_dir())
    assert name.startswith("001-learning_rate0.00")
    assert f"1/1 {name}: finished in " in said
    results = json.loads((runs / "s" / name / "results.json").read_text(encoding="utf-8"))
    assert results["checkpoint"].endswith(f"{name}/checkpoints/best.ckpt")
    assert results["settings"]["model"]["init_args"]["learning_rate"] == pytest.approx(
        trial.params["model.learning_rate"]
    )
    assert trial.value is not None and trial.value < 0
    assert "train/bound" in said
    # Optuna's own messages, and its warnings about experimental features.
    assert "[I " not in said and "Warning" not in said
    # What training and the test say, in processes of their own.
    log = (runs / "s" / f"{name}.log").read_text(encoding="utf-8")
    assert log.count("Data: source mnist5k, sha256") == 2
    for noise in ("anonymous", "litlogger", "Test metric"):
        assert noise not in log


def test_other_settings_begin_no_run(
    sweep: Sweep, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "fails.py"
    script.write_text("import sys; sys.exit('no such seed')", encoding="utf-8")
    monkeypatch.setattr(process, "PROGRAM", script)
    seeds = {"seed_everything": {"values": [0, TOO_LARGE]}}
    said, status = sweep(seeds, "--trials=1", "--trainer.max_steps=2", "--no_test")
    assert status == 1, said
    assert f"1/1 seed{TOO_LARGE}: failed after " in said and ": no such seed (" in said
    log = runs / f"s/seed{TOO_LARGE}.log"
    before = log.read_text(encoding="utf-8")
    said, status = sweep(seeds, "--trials=2", "--trainer.max_steps=3", "--no_test")
    assert status == 2, said
    assert f"{runs}/s was started with other settings: --trainer.max_steps=2 " in said
    assert "repeat them, or name another folder with --experiment=NAME" in said
    assert log.read_text(encoding="utf-8") == before
    with log.open("ab") as file:
        assert locked(file.fileno())


def test_other_commands_do_without_optuna() -> None:
    """It takes a second to import, with its database."""
    script = "import cli, sys; print({'optuna', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "set()\n"
