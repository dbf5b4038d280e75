"""A training that diverges ends with its own status, and its record repeats the step."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cli import main
from lightning_modules.callbacks import pictures
from lightning_modules.command_line.exit_status import DIVERGED
from lightning_modules.records.bundle import bundle_path, read_bundle, write_bundle
from lightning_modules.records.reading import read_json
from lightning_modules.records.settings import decisive, flat
from tests.cli.commands import TINY, benchmark_named, shortened

FRAMES = "--config=conf/dnc_gtmm_maze.yaml"
FUNCTIONS = "--config=conf/asnp_rmr_gp_sparse.yaml"
End = tuple[int, str, str]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., End]:
    """Runs a command without its pictures, and returns its status and what it says."""
    monkeypatch.setattr(pictures, "draws", lambda trainer: False)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr("sys.argv", ["cli.py"])

    def ended(*words: str) -> End:
        capsys.readouterr()
        status: Any = 0
        try:
            main(list(words))
        except SystemExit as exit_:
            status = exit_.code
        return (status, *capsys.readouterr())

    return ended


@pytest.fixture
def fit(run: Callable[..., End], tmp_path: Path) -> Callable[..., End]:
    """Trains an experiment."""

    def trained(config: str, *options: str) -> End:
        small = (*TINY, *shortened(benchmark_named([config])), *options)
        place = (f"--trainer.default_root_dir={tmp_path}", "--run=r")
        return run("fit", config, *small, *place)

    return trained


@pytest.mark.parametrize("config", [FRAMES, FUNCTIONS])
def test_too_large_a_learning_rate(
    config: str, fit: Callable[..., End], run: Callable[..., End], tmp_path: Path
) -> None:
    warm = [] if config == FRAMES else ["--model.warm_up=0"]
    status, _, said = fit(config, "--model.learning_rate=1e6", "--trainer.max_steps=40", *warm)
    assert status == DIVERGED == 3
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= 6
    step = int(re.search(r"Diverged in step (\d+); loss", said)[1])
    folder = next(tmp_path.glob("*/r"))
    path = bundle_path(folder, step)
    assert str(path) in said
    found, out, _ = run("rerun", str(path))
    assert found == DIVERGED
    lines = [line for line in said.splitlines() if "first" in line or "sequences" in line]
    assert lines
    assert all(line in out for line in lines)
    assert "largest gradient" in out


def test_half_precision_and_the_same_step_with_other_numbers(
    fit: Callable[..., End], run: Callable[..., End], tmp_path: Path
) -> None:
    """The loss is finite, so that it shows whether the step is the same to the bit."""
    status, _, said = fit(FRAMES, "--trainer.precision=16-true", "--trainer.max_steps=3")
    assert status == DIVERGED
    path = next(tmp_path.glob("*/r/diverged/step_*.pt"))
    status, out, _ = run("rerun", str(path))
    assert status == DIVERGED
    assert "recorded loss" not in out  # it is the same
    bundle = read_bundle(path)
    bundle["losses"] = [bundle["losses"][0] + 1e-9]
    write_bundle(path, bundle)
    assert "recorded loss" in run("rerun", str(path))[1]
    bundle["settings"] = bundle["settings"].replace("precision: 16-true", "precision: 32-true")
    bundle["weights"] = {
        k: v.float() if v.is_floating_point() else v for k, v in bundle["weights"].items()
    }
    bundle["batches"] = [
        tuple(p.float() if p.is_floating_point() else p for p in b) for b in bundle["batches"]
    ]
    write_bundle(path, bundle)
    status, out, _ = run("rerun", str(path))
    assert status == 0
    assert "is finite when it is repeated" in out


def test_skipping_is_recorded_with_the_results(
    fit: Callable[..., End], run: Callable[..., End], tmp_path: Path
) -> None:
    status, _, said = fit(
        FRAMES, "--trainer.precision=16-true", "--trainer.max_steps=2", "--on_divergence=skip"
    )
    assert status == 0, said
    folder = next(tmp_path.glob("*/r"))
    assert "on_divergence: skip" in (folder / "config.yaml").read_text(encoding="utf-8")
    small = (f"--ckpt_path={folder}/checkpoints/last.ckpt", "--trainer.limit_test_batches=1")
    assert run("test", *small)[0] == 0
    results = read_json(folder / "results.json")
    assert results["training"]["skipped_steps"] == 2
    settings = flat(results["settings"])
    assert decisive(settings)["trainer.on_divergence"] == "skip"
    assert settings["trainer.precision"] == "16-true"


def test_what_cannot_be_run_again_is_one_line(run: Callable[..., End], tmp_path: Path) -> None:
    status, _, said = run("rerun", str(tmp_path / "none.pt"))
    assert status == 2
    assert "there is no file" in said
    other = tmp_path / "other.pt"
    torch.save({"state_dict": {}}, other)
    status, _, said = run("rerun", str(other))
    assert status == 2
    assert "other.pt is not the bundle of a diverged step" in said
