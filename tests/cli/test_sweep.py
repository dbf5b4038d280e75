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

import pytest
import yaml

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.sweep.lock import locked
from tests.cli.commands import MAZE, begun

Sweep = Callable[..., subprocess.Popen[str]]
#: No seed can be so large: runs with it build, and fail when they begin.
TOO_LARGE = 2**32


@pytest.fixture
def sweep(tmp_path: Path, tiny: Callable[..., list[str]]) -> Iterator[Sweep]:
    """Starts sweeps of small runs, and ends what is left of them."""
    started: list[subprocess.Popen[str]] = []

    def start(
        parameters: dict[str, Any], *options: str, method: str = "grid"
    ) -> subprocess.Popen[str]:
        content = {
            "program": "cli.py",
            "method": method,
            "metric": {"name": "train/bound", "goal": "maximize"},
            "parameters": parameters,
            "command": ["${env}", "${interpreter}", "${program}", "fit", MAZE, "${args}"],
        }
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
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


def records(runs: Path) -> dict[str, Any]:
    return json.loads((runs / "s/sweep.json").read_text())["runs"]


def wait_for(path: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.1)


def test_a_killed_sweep_goes_on(sweep: Sweep, runs: Path) -> None:
    """One run is finished, one has begun, one is to fail, and a fourth is beyond the limit."""
    cores = {"values": ["NoMemory", "NTM"]}
    parameters = {"seed_everything": {"values": [0, TOO_LARGE]}, "model.memory": cores}
    options = "--trials=3", "--no_test", "--trainer.max_steps=2", "--trainer.logger=false"
    names = ("seed0-NoMemory", "seed0-NTM", f"seed{TOO_LARGE}-NoMemory")
    finished, begun, failed = (runs / "s" / name for name in names)
    first = sweep(parameters, *options)
    said = read_until(first, f"2/3 {begun.name}: starts")
    first.kill()
    first.wait()
    assert f"1/3 {finished.name}: finished in " in said
    status = {name: record["status"] for name, record in records(runs).items()}
    assert status == {finished.name: "trained", begun.name: "begun"}
    saved = (finished / "checkpoints/last.ckpt").stat().st_mtime_ns
    wait_for(begun / "checkpoints/last.ckpt")

    second = sweep(parameters, *options)
    said = second.communicate(timeout=200)[0]
    assert second.returncode == 1, said
    assert finished.name not in said
    assert (finished / "checkpoints/last.ckpt").stat().st_mtime_ns == saved
    assert f"2/3 {begun.name}: finished in " in said
    assert "Restored all states" in begun.with_name(f"{begun.name}.log").read_text()
    assert f"3/3 {failed.name}: failed after " in said
    assert f": ValueError: {TOO_LARGE} is not in bounds" in said
    assert f"({failed}.log)" in said
    assert "\n2 of 3 runs finished, 1 failed\n" in said
    assert f"Compare them: {program()} compare {runs}/s --out s.html" in said
    folders = {path.name for path in (runs / "s").iterdir() if path.is_dir()}
    assert folders == {finished.name, begun.name}


def test_interrupt_ends_all_runs_and_says_how_to_go_on(sweep: Sweep, runs: Path) -> None:
    options = "--jobs=2", "--trainer.max_steps=100000", "--trainer.logger=false"
    process = sweep({"seed_everything": {"values": [0, 1, 2]}}, *options)
    said = read_until(process, "2/3 seed1: starts")
    logs = [runs / f"s/seed{seed}.log" for seed in (0, 1)]
    while not all("step 1 " in log.read_text() for log in logs):
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
        assert "Interrupted; the state is in" in log.read_text()
        assert (runs / f"s/seed{seed}/checkpoints/last.ckpt").exists()


def test_search_uses_results_and_tests_the_best_state(sweep: Sweep, runs: Path) -> None:
    """One run of Bayesian search with all that follows it."""
    validated = "--trainer.max_steps=2", "--trainer.val_check_interval=2"
    rate = {"min": 1.0e-4, "max": 1.0e-2, "distribution": "log_uniform_values"}
    process = sweep({"model.learning_rate": rate}, "--trials=1", *validated, method="bayes")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    ((name, record),) = records(runs).items()
    assert name.startswith("001-learning_rate0.00")
    assert f"1/1 {name}: finished in " in said
    results = json.loads((runs / "s" / name / "results.json").read_text())
    assert results["checkpoint"].endswith(f"{name}/checkpoints/best.ckpt")
    assert results["settings"]["model"]["init_args"]["learning_rate"] == pytest.approx(
        record["values"]["model.learning_rate"]
    )
    assert record["score"] < 0
    # What training and the test say, in processes of their own.
    log = (runs / "s" / f"{name}.log").read_text()
    assert log.count("Data: source mnist5k, sha256") == 2
    for noise in ("anonymous", "litlogger", "Test metric"):
        assert noise not in log


def test_no_run_is_left_behind_by_a_mistake(sweep: Sweep, runs: Path) -> None:
    """The second run was begun before with other settings, which shows when the first one runs."""
    record = {"number": 2, "values": {}, "arguments": ["--other"], "status": "begun", "score": None}
    (runs / "s").mkdir(parents=True)
    (runs / "s/sweep.json").write_text(json.dumps({"runs": {"seed1": record}}))
    process = sweep({"seed_everything": {"values": [0, 1]}}, "--jobs=2")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 2, said
    assert "Waiting for 1 run to save its state" in said
    assert "seed1 was begun with other settings: --other\nrepeat them, or name another" in said
    with (runs / "s/seed0.log").open("ab") as log:
        assert locked(log.fileno())
