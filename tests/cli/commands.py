"""Parts of command lines for small models and data, and parsers of commands' output."""

import inspect
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

import datamodules
from datamodules import BenchmarkDataModule, FunctionDataModule, MNISTMaze
from datamodules.frames.recall import RecallDataModule
from datamodules.sources.image_benchmark import ImageBenchmark
from lightning_modules.command_line.class_settings import settings_of

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
TINY = (
    "--data.train_size=8",
    "--data.val_size=4",
    "--data.test_size=4",
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--trainer.limit_val_batches=1",
    "--trainer.accelerator=cpu",
)
#: Without validations there are no pictures, which take longer than the rest of a small run.
UNVALIDATED = "--trainer.limit_val_batches=0"
SMALL_CONTROLLER = ("--model.controller_size=8",)
SHORT_FRAMES = ("--data.sequence_length=6",)
SHORT_RECALL = ("--data.pre_recall_length=10", "--data.recall_length=2")
#: Neural processes: 4 steps, of which 2 have a context.
SHORT_FUNCTIONS = (
    "--model.hidden_size=8",
    "--model.test_samples=2",
    "--data.sequence_length=4",
    "--data.context_steps=2",
    "--data.contexts=[1,3]",
    "--data.most_points=6",
    "--data.curriculum=null",
)
#: Points of a grid, where a benchmark has one.
FEW_POINTS = {"train_points": 20, "test_points": 20}
MAZE = "--config=conf/dnc_gtmm_maze.yaml"


def benchmark_of(experiment: Path) -> type[BenchmarkDataModule]:
    """Return the data class of an experiment in conf/."""
    fragment = yaml.safe_load(experiment.read_text(encoding="utf-8"))["data"]
    return getattr(
        datamodules, yaml.safe_load((CONF / fragment).read_text(encoding="utf-8"))["class_path"]
    )


def benchmark_named(options: Sequence[str]) -> type[BenchmarkDataModule]:
    """Return the data class of the first experiment in conf/ among the options, else the maze."""
    paths = (ROOT / option.removeprefix("--config=") for option in options)
    experiments = (path for path in paths if path.parent == CONF and path.is_file())
    return next(map(benchmark_of, experiments), MNISTMaze)


def shortened(benchmark: type[BenchmarkDataModule]) -> tuple[str, ...]:
    """Settings that make an experiment on a benchmark small, and need no network."""
    source: tuple[str, ...] = ()
    if issubclass(benchmark, ImageBenchmark):
        source = (f"--data.source={benchmark.images_of.embedded_name}",)
    if issubclass(benchmark, FunctionDataModule):
        own = inspect.signature(benchmark).parameters
        few = [f"--data.{name}={points}" for name, points in FEW_POINTS.items() if name in own]
        return *SHORT_FUNCTIONS, *few, *source
    short = SHORT_RECALL if issubclass(benchmark, RecallDataModule) else SHORT_FRAMES
    known = [
        s for s in short if s.partition("=")[0].removeprefix("--data.") in settings_of(benchmark)
    ]
    return *SMALL_CONTROLLER, *known, *source


def begun(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process in the project's folder, with all of its output in one text stream."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        # A group of its own, so that signals to all of it leave the tests alone.
        process_group=0,
        # Tests in the background of a shell would make the process ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def cells(said: str) -> dict[str, list[str]]:
    """Return the rows of the table that `compare` prints, by core."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in said.split("\n\n")[0].splitlines()[2:]]
    return {row[1]: row for row in rows}
