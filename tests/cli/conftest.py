"""Commands in this process, with a small model and data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cli import ExperimentCLI, main
from datamodules import RoomDataModule
from datamodules.sources import faces, glyphs
from lightning_modules.callbacks import pictures
from lightning_modules.command_line import comparison_figure
from lightning_modules.pictures.curve_comparison import curve_comparison
from tests.cli.commands import (
    MAZE,
    ROOT,
    TINY,
    benchmark_named,
    shortened,
)

# Tests run beside each other; more threads than cores make them ten times as slow.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Commands are written as a user in the checkout would type them; W&B stays silent."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["cli.py"])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(glyphs, "DRAWERS", 3)
    monkeypatch.setattr(faces, "NUMBERS", {s: n[:20] for s, n in faces.NUMBERS.items()})
    yield


@pytest.fixture(autouse=True)
def drawing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip pictures, which take longer than the rest of a small run, unless marked."""
    if request.node.get_closest_marker("pictures") is None:
        monkeypatch.setattr(pictures, "draws", lambda trainer: False)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder of a test's runs."""
    return tmp_path / "runs"


@pytest.fixture
def tiny(runs: Path) -> Callable[..., list[str]]:
    """Completes a subcommand and options to the command line of a small run."""

    def complete(subcommand: str, *options: str) -> list[str]:
        benchmark = benchmark_named(options)
        small = (*TINY, *shortened(benchmark), f"--trainer.default_root_dir={runs}")
        if issubclass(benchmark, RoomDataModule):  # whose films are painted
            small = (*small, f"--data.data_dir={runs.parent}")
        return [subcommand, *options, *small]

    return complete


@pytest.fixture
def fit(tiny: Callable[..., list[str]], runs: Path) -> Callable[..., Path]:
    """Trains, and returns the run's folder."""

    def train(*options: str, steps: int = 2) -> Path:
        ExperimentCLI(tiny("fit", MAZE, *options, f"--trainer.max_steps={steps}"))
        return max(runs.glob("*/*"), key=lambda folder: folder.stat().st_mtime)

    return train


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExperimentCLI]:
    """Parses and builds without running."""

    def built(*options: str) -> ExperimentCLI:
        monkeypatch.setattr(ExperimentCLI, "_run_subcommand", lambda self, subcommand: None)
        return ExperimentCLI(["fit", *options, "--trainer.fast_dev_run=true"])

    return built


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail, and returns its message."""

    def fail(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(arguments))
        said = capsys.readouterr().err
        assert exit_.value.code == 2
        assert "Traceback" not in said
        assert len(said.strip().splitlines()) <= 4, said
        return said

    return fail


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The data that figures are drawn from."""
    calls: list[tuple[Any, ...]] = []

    def remember(*arguments: Any) -> Any:
        calls.append(arguments)
        return curve_comparison(*arguments)

    monkeypatch.setattr(comparison_figure, "curve_comparison", remember)
    return calls


@pytest.fixture
def out(tmp_path: Path) -> str:
    """The file that `compare` writes its figure to."""
    return f"--out={tmp_path}/pictures/kl.png"
