"""Tests that need whole processes: Ctrl-C, and training on two of them."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cli import ExperimentCLI
from lightning_modules.command_line.closing_message import program
from tests.cli.commands import MAZE, begun

#: What libraries say for themselves, and the data's table, which is for others.
NOISES = ("anonymous", "litlogger", "Test metric", "Data: source")


def start(arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    return begun([sys.executable, "cli.py", *arguments], environment)


def test_interrupt_leaves_a_checkpoint_that_resumes(tiny: Callable[..., list[str]], runs: Path):
    process = start(tiny("fit", MAZE, "--trainer.max_steps=100000", "--trainer.logger=false"))
    assert process.stdout is not None
    said = ""
    while "step 1 " not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
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


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_log_once(tiny: Callable[..., list[str]], runs: Path):
    two = ("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.log_every_n_steps=1")
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
    assert trained == ["0", "1"]
    assert len(list(run.glob("wandb/offline-run-*"))) == 1
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    for line in ("Model: GTMM", "Everything is in", "source auto: ", "Data: sha256"):
        assert said.count(line) == 1, line


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_predict_into_one_folder(
    tiny: Callable[..., list[str]], fit: Callable[..., Path], runs: Path
):
    """The checkpoint lies in no run, so that the folder's name holds the time."""
    checkpoint = (fit(steps=1) / "checkpoints/last.ckpt").rename(runs / "copied.ckpt")
    two = ("--trainer.devices=2", "--trainer.strategy=ddp", "--experiment=generated")
    process = start(tiny("predict", MAZE, *two, f"--ckpt_path={checkpoint}"))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    (run,) = runs.glob("generated/*")
    written = [np.load(run / f"predictions-rank{rank}.npz")["index"] for rank in range(2)]
    assert sorted(np.concatenate(written)) == [0, 1, 2, 3]
