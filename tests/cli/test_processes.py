"""Tests that need whole processes: signals, schedulers, and training on two of them."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from cli import ExperimentCLI
from lightning_modules.command_line.closing_message import program
from tests.cli.commands import MAZE, ROOT, UNVALIDATED, begun

pytestmark = pytest.mark.processes

#: What libraries say for themselves, and the data's table, which is for others.
NOISES = ("anonymous", "litlogger", "Test metric", "Data: source")


ENDLESS = ("--trainer.max_steps=100000", "--trainer.logger=false")
TWO = ("--trainer.devices=2", "--trainer.strategy=ddp")


def start(
    arguments: list[str], launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.Popen[str]:
    """Start a command in its own process group."""
    quiet = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    return begun([sys.executable, *launcher, "cli.py", *arguments], quiet | environment)


def said_by(process: subprocess.Popen[str], until: str) -> str:
    """Wait for a text in the output."""
    assert process.stdout is not None
    said = ""
    while until not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def processes_of(run: Path) -> list[str]:
    """Return command lines of processes that name a run's folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [words] if str(run) in words else []
    return found


def test_output_that_nobody_reads_on_ends_a_command_quietly() -> None:
    command = [sys.executable, "cli.py", "sweep", "conf/sweeps/maze_cores.yaml", "--dry_run"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_interrupt_leaves_a_checkpoint_that_resumes(tiny: Callable[..., list[str]], runs: Path):
    process = start(tiny("fit", MAZE, *ENDLESS))
    said = said_by(process, "step 1 ")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    last = next(runs.glob("*/*/checkpoints/last.ckpt"))
    assert f"Resume: {program()} fit --ckpt_path {last}" in said
    steps = torch.load(last, weights_only=True)["global_step"]
    resumed = ExperimentCLI(["fit", f"--ckpt_path={last}", f"--trainer.max_steps={steps + 1}"])
    assert resumed.trainer.global_step == steps + 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts processes")
def test_a_group_of_processes_ends_as_schedulers_expect(tiny: Callable[..., list[str]], runs: Path):
    """Data workers died first, and one of two trainers waited for ever."""
    process = start([*tiny("fit", MAZE, *TWO, *ENDLESS), "--data.num_workers=1"])
    said = said_by(process, "step 1 ")
    os.killpg(process.pid, signal.SIGTERM)
    said += process.communicate(timeout=60)[0]
    assert process.returncode == 143, said
    assert "Traceback" not in said
    last = next(runs.glob("*/*/checkpoints/last.ckpt"))
    assert f"fit --ckpt_path {last}" in said
    assert torch.load(last, weights_only=True)["global_step"] > 0
    assert processes_of(runs) == []


def test_ctrl_c_during_start_leaves_a_line_and_no_folder(
    tiny: Callable[..., list[str]], runs: Path
):
    process = start(tiny("fit", MAZE, *ENDLESS))
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert (process.returncode, said.strip()) == (130, "Interrupted before the run began.")
    assert not runs.exists()


def test_two_nodes(tiny: Callable[..., list[str]], runs: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ("--nnodes=2", "--nproc_per_node=1", "--master_addr=127.0.0.1", f"--master_port={port}")
    nodes = ("--trainer.num_nodes=2", "--trainer.strategy=ddp", "--run=one", "--ckpt_path=last")
    steps = ("--trainer.max_steps=2", "--trainer.logger=false", UNVALIDATED)
    words = tiny("fit", MAZE, *nodes, *steps)
    torchrun = ("-m", "torch.distributed.run", *place)
    both = [start(words, (*torchrun, f"--node_rank={rank}", "--")) for rank in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    (run,) = runs.glob("*/*")
    assert run.name == "one"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 2
    assert "Everything is in" in said[0] and "Everything is in" not in said[1]


def test_slurm_starts_the_same_run_again(
    tiny: Callable[..., list[str]], runs: Path, tmp_path: Path
):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requests\n', encoding="utf-8")
    scontrol.chmod(0o755)
    ids = {f"SLURM_{name}ID": "0" for name in ("PROC", "LOCAL", "NODE")}
    job = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "4711", **ids}
    path = f"{tmp_path}:{os.environ['PATH']}"
    words = tiny("fit", MAZE, *ENDLESS, "--run=job", "--ckpt_path=last")
    process = start(words, PATH=path, **job)
    said = said_by(process, "step 1 ")
    process.send_signal(signal.SIGUSR1)
    said += process.communicate(timeout=60)[0]
    assert "SLURM requeued job 4711." in said
    assert (tmp_path / "requests").read_text(encoding="utf-8") == "requeue 4711\n"
    steps = torch.load(next(runs.glob("*/job/checkpoints/last.ckpt")), weights_only=True)
    ExperimentCLI([*words, f"--trainer.max_steps={steps['global_step'] + 1}"])
    assert len(list(runs.glob("*/*"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_log_once(tiny: Callable[..., list[str]], runs: Path):
    two = (*TWO, "--trainer.log_every_n_steps=1")
    steps = ("--trainer.max_steps=2", "--trainer.val_check_interval=2")
    process = start(
        [*tiny("fit", MAZE, *two, *steps), "--data.source=auto", "--data.num_workers=1"]
    )
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    for noise in NOISES:
        assert noise not in said
    (run,) = runs.glob("*/*")
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        trained = [row["step"] for row in csv.DictReader(file) if row["train/bound"]]
    assert [float(step) for step in trained] == [1, 2]
    assert len(list(run.glob("wandb/offline-run-*"))) == 1
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    for line in ("Model: GTMM", "Everything is in", "source auto: ", "Data: sha256"):
        assert said.count(line) == 1, line


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_predict_into_one_folder(
    tiny: Callable[..., list[str]], fit: Callable[..., Path], runs: Path
):
    """The checkpoint is in no run's folder, so the new folder's name contains the time."""
    checkpoint = (fit(steps=1) / "checkpoints/last.ckpt").rename(runs / "copied.ckpt")
    two = (*TWO, "--experiment=generated")
    process = start(tiny("predict", MAZE, *two, f"--ckpt_path={checkpoint}"))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    (run,) = runs.glob("generated/*")
    written = [np.load(run / f"predictions-rank{rank}.npz")["index"] for rank in range(2)]
    assert sorted(np.concatenate(written)) == [0, 1, 2, 3]
