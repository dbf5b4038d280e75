"""Whole sweeps, in processes: what is left by a kill is gone on with, Ctrl-C ends all runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import FrozenTrial

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.sweep.lock import locked
from tests.cli.commands import MAZE, ROOT, begun

Sweep = Callable[..., subprocess.Popen[str]]
#: No seed can be so large: runs with it build, and fail when they begin.
TOO_LARGE = 2**32


@pytest.fixture
def sweep(tmp_path: Path, tiny: Callable[..., list[str]]) -> Iterator[Sweep]:
    """Starts sweeps of small runs, and ends what is left of them."""
    started: list[subprocess.Popen[str]] = []

    def start(
        parameters: dict[str, Any], *options: str, method: str = "grid", **others: Any
    ) -> subprocess.Popen[str]:
        content = {
            "program": "cli.py",
            "method": method,
            "metric": {"name": "train/bound", "goal": "maximize"},
            "parameters": parameters,
            "command": ["${env}", "${interpreter}", "${program}", "fit", MAZE, "${args}"],
            **others,
        }
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "cli.py", *tiny("sweep", f"{tmp_path}/s.yaml", *options)]
        started.append(begun(command, {**os.environ, "OMP_NUM_THREADS": "1"}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], part: str) -> str:
    """What it says up to a line with this part."""
    assert process.stdout is not None
    said = ""
    while part not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def trials(runs: Path) -> list[FrozenTrial]:
    """What Optuna knows, as its own tools read it."""
    return optuna.load_study(
        study_name="sweep", storage=f"sqlite:///{runs}/s/sweep.db"
    ).get_trials()


def wait_for(path: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.1)


def test_a_killed_sweep_goes_on(sweep: Sweep, runs: Path) -> None:
    """One run is finished, one has begun, one is to fail, and a fourth is beyond the limit.

    Optuna shuffles a grid, always in the same way.
    """
    parameters = {
        "seed_everything": {"values": [7, TOO_LARGE, 0, 1]},
        "model.memory": {"value": "NoMemory"},
    }
    options = "--trials=3", "--no_test", "--trainer.max_steps=2", "--trainer.logger=false"
    names = ("seed0", "seed1", f"seed{TOO_LARGE}")
    finished, begun, failed = (runs / "s" / name for name in names)
    first = sweep(parameters, *options)
    said = read_until(first, f"2/3 {begun.name}: starts")
    first.kill()
    first.wait()
    assert f"1/3 {finished.name}: finished in " in said
    known = [(trial.params["seed_everything"], trial.state.name) for trial in trials(runs)]
    assert known == [("0", "COMPLETE"), ("1", "RUNNING")]
    saved = (finished / "checkpoints/last.ckpt").stat().st_mtime_ns
    wait_for(begun / "checkpoints/last.ckpt")

    second = sweep(parameters, *options)
    said = second.communicate(timeout=200)[0]
    assert second.returncode == 1, said
    assert finished.name not in said
    assert (finished / "checkpoints/last.ckpt").stat().st_mtime_ns == saved
    assert f"2/3 {begun.name}: finished in " in said
    assert "Restored all states" in begun.with_name(f"{begun.name}.log").read_text(encoding="utf-8")
    assert f"3/3 {failed.name}: failed after " in said
    assert f": ValueError: {TOO_LARGE} is not in bounds" in said
    assert f"({failed}.log)" in said
    assert "\n2 of 3 runs finished, 1 failed\n" in said
    assert f"Compare them: {program()} compare {runs}/s --out s.html" in said
    folders = {path.name for path in (runs / "s").iterdir() if path.is_dir()}
    assert folders == {finished.name, begun.name}
    assert [trial.state.name for trial in trials(runs)] == ["COMPLETE", "COMPLETE", "FAIL"]


def test_interrupt_ends_all_runs_and_says_how_to_go_on(sweep: Sweep, runs: Path) -> None:
    options = "--jobs=2", "--trainer.max_steps=100000", "--trainer.logger=false"
    process = sweep({"seed_everything": {"values": [2, 1, 0]}}, *options)
    said = ""
    for seed in (0, 1):
        said += (
            "" if f" seed{seed}: starts" in said else read_until(process, f" seed{seed}: starts")
        )
    logs = [runs / f"s/seed{seed}.log" for seed in (0, 1)]
    while not all("step 1 " in log.read_text(encoding="utf-8") for log in logs):
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    assert "0 of 3 runs finished\nGo on: " in said
    assert f"Go on: {program()} sweep " in said
    for seed, log in enumerate(logs):
        assert "Interrupted; the state is in" in log.read_text(encoding="utf-8")
        assert (runs / f"s/seed{seed}/checkpoints/last.ckpt").exists()


def test_search_uses_results_and_tests_the_best_state(sweep: Sweep, runs: Path) -> None:
    """One run of Bayesian search with all that follows it."""
    validated = "--trainer.max_steps=2", "--trainer.val_check_interval=2"
    rate = {"min": 1.0e-4, "max": 1.0e-2, "distribution": "log_uniform_values"}
    process = sweep({"model.learning_rate": rate}, "--trials=1", *validated, method="bayes")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
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
    # What Optuna says of itself, and of what it finds experimental.
    assert "[I " not in said and "Warning" not in said
    # What training and the test say, in processes of their own.
    log = (runs / "s" / f"{name}.log").read_text(encoding="utf-8")
    assert log.count("Data: source mnist5k, sha256") == 2
    for noise in ("anonymous", "litlogger", "Test metric"):
        assert noise not in log


def test_worse_runs_are_pruned(sweep: Sweep, runs: Path) -> None:
    """One step with the larger rate spoils the model, which the second validation shows."""
    rates = {"model.learning_rate": {"values": [10.0, 1.0e-5]}, "seed_everything": {"value": 0}}
    options = "--trainer.max_steps=100000", "--trainer.val_check_interval=1", "--no_test"
    rules = {"type": "hyperband", "min_iter": 1, "eta": 2}
    metric = {"name": "val/bound", "goal": "maximize"}
    process = sweep(rates, *options, "--jobs=2", metric=metric, early_terminate=rules)
    said = read_until(process, ": pruned after ")
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    assert "learning_rate10: pruned after " in said
    assert "0 of 2 runs finished, 1 pruned\nGo on: " in said
    pruned = runs / "s/learning_rate10"
    assert "Interrupted; the state is in" in pruned.with_name(f"{pruned.name}.log").read_text(
        encoding="utf-8"
    )
    assert (pruned / "checkpoints/last.ckpt").exists()
    states = {trial.params["model.learning_rate"]: trial.state.name for trial in trials(runs)}
    assert states == {"10.0": "PRUNED", "1e-05": "RUNNING"}


def test_other_settings_begin_no_run(sweep: Sweep, runs: Path) -> None:
    seeds = {"seed_everything": {"values": [0, TOO_LARGE]}}
    first = sweep(seeds, "--trials=1", "--trainer.max_steps=2", "--no_test")
    said = first.communicate(timeout=200)[0]
    assert first.returncode == 1, said
    log = runs / f"s/seed{TOO_LARGE}.log"
    before = log.read_text(encoding="utf-8")
    second = sweep(seeds, "--trials=2", "--trainer.max_steps=3", "--no_test")
    said = second.communicate(timeout=200)[0]
    assert second.returncode == 2, said
    assert f"{runs}/s was begun with other settings: --trainer.max_steps=2 " in said
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
