"""`wandb sweep` and two `wandb agent` against a stand-in for W&B's server.

They are as they are, but that agents ask every second what to do, not every five.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import ROOT, UNVALIDATED, begun
from tests.cli.wandb_stub import ENTITY, KEY, PROJECT, SWEEP, Sweeps, serving

pytestmark = pytest.mark.processes
#: W&B's command line, with a second between two heartbeats of an agent.
WANDB = """
from wandb.cli.cli import cli
from wandb.wandb_agent import Agent

Agent.POLL_INTERVAL = 1
cli(prog_name="wandb")
"""
#: Longer than that second, on a busy machine too.
PATIENCE = 8.0
#: Stands before the interpreter on the agents' path, and says which process each run is.
PYTHON = '#!/bin/sh\necho $$ > "{folder}/$WANDB_RUN_ID.$PPID.pid"\nexec "{python}" "$@"\n'


@pytest.fixture
def sweep_file(tmp_path: Path, tiny: Callable[..., list[str]]) -> Path:
    """The maze's replicas: two small ones."""
    content = yaml.safe_load((ROOT / "conf/sweeps/maze_replicas.yaml").read_text(encoding="utf-8"))
    content["parameters"] = {
        "model.memory": {"values": ["NTM"]},
        "seed_everything": {"values": [0, 1]},
    }
    content["command"] += [*tiny("fit", "--trainer.max_steps=2")[1:], UNVALIDATED]
    path = tmp_path / "maze_replicas.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A folder with a `python` that leaves its process's number beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(
        PYTHON.format(folder=folder, python=sys.executable), encoding="utf-8"
    )
    (folder / "python").chmod(0o755)
    return folder


Wandb = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def server() -> Iterator[tuple[str, Sweeps]]:
    with serving(PATIENCE) as started:
        yield started


@pytest.fixture
def wandb(server: tuple[str, Sweeps], interpreter: Path, tmp_path: Path) -> Iterator[Wandb]:
    """Starts W&B's commands, and ends them and their runs."""
    ours = {
        "WANDB_BASE_URL": server[0],
        "WANDB_API_KEY": KEY,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{interpreter}:{os.environ['PATH']}",
        **{f"WANDB_{name}_DIR": f"{tmp_path}/{name}" for name in ("CONFIG", "CACHE", "DATA")},
        "WANDB_DIR": str(tmp_path),
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")} | ours
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        started.append(begun([sys.executable, "-c", WANDB, *words], environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    for file in interpreter.glob("*.pid"):
        kill_run(int(file.read_text(encoding="utf-8")))


def kill_run(pid: int) -> None:
    """End a run's processes; an agent gives each run a group."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def run_of(agent: subprocess.Popen[str], interpreter: Path) -> tuple[str, int]:
    """Return name and process id of the first run that an agent starts."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for file in interpreter.glob(f"*.{agent.pid}.pid"):
            if text := file.read_text(encoding="utf-8"):
                return file.name.partition(".")[0], int(text)
        time.sleep(0.1)
    raise AssertionError("the agent started no run")


def test_agents_share_a_sweep_and_one_takes_over_from_a_dead_one(
    server: tuple[str, Sweeps], wandb: Wandb, sweep_file: Path, interpreter: Path, runs: Path
) -> None:
    created = wandb("sweep", "--entity", ENTITY, "--project", PROJECT, str(sweep_file))
    said = created.communicate(timeout=60)[0]
    assert f"wandb agent {ENTITY}/{PROJECT}/{SWEEP}" in said, said

    agents = [wandb("agent", f"{ENTITY}/{PROJECT}/{SWEEP}") for _ in range(2)]
    (lost, pid), (kept, _) = (run_of(agent, interpreter) for agent in agents)
    assert {lost, kept} == {"run0", "run1"}
    agents[0].kill()
    kill_run(pid)

    said = agents[1].communicate(timeout=150)[0]
    assert agents[1].returncode == 0, said
    known = server[1].runs
    assert {name: run.state for name, run in known.items()} == dict.fromkeys(known, "finished")
    assert known[lost].states == ["running", "crashed", "running", "finished"], said
    first, second = known[lost].agents
    assert known[kept].agents == [second] != [first]
    for run in known.values():
        assert run.logged["train/bound"] < 0
        assert run.logged["trainer/global_step"] == 2
    checkpoints = runs.glob("dnc_gtmm_maze/*-seed*/checkpoints/last.ckpt")
    seeds = [path.parts[-3].rpartition("-")[2] for path in checkpoints]
    assert {*seeds} == {"seed0", "seed1"}
