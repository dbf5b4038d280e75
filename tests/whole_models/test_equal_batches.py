"""Results depend neither on how sequences are batched nor on the number of processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from tests.cli.commands import ROOT
from tests.whole_models.small_models import MODELS, benchmark_for, losses

#: Of rounding in an evaluation: sums over batches, in float32.
CLOSE = 1e-5
#: One of each family; the second draws in its memory, too.
NAMES = ("GTMM", "ASNP-RMR")


def evaluated(name: str, size: int, folder: Path) -> dict[str, float]:
    torch.manual_seed(0)
    model = MODELS[name]()
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False}
    trainer = L.Trainer(
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **quiet,
    )
    data = benchmark_for(name, test_size=7, eval_batch_size=size)
    (found,) = trainer.test(model, data, verbose=False)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_an_evaluation_does_not_depend_on_its_batches(name: str, tmp_path: Path) -> None:
    whole = evaluated(name, 7, tmp_path)
    assert len(whole) > 10
    for size in (1, 3):
        assert evaluated(name, size, tmp_path) == pytest.approx(
            whole, rel=CLOSE, abs=1e-6, nan_ok=True
        )


def losses_of_two(batch_size: int, folder: Path) -> dict[str, list[float]]:
    """Losses of trainings in two processes, by model."""
    file = folder / "losses.json"
    words = [str(batch_size), "2", str(file), *NAMES]
    subprocess.run(
        [sys.executable, "-m", "tests.whole_models.small_models", *words],
        cwd=ROOT,
        check=True,
        timeout=240,
    )
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.processes
def test_two_processes_train_as_one_with_batches_twice_as_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step has the same sequences, with the same noise, and so the same loss."""
    for seeds in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # of this process, too, and taken back
        monkeypatch.setenv(seeds, "0")
    together = losses_of_two(2, tmp_path)
    for name in NAMES:
        alone = losses(name, 4, 1)
        assert len(alone) == 50 and alone[0] != alone[-1]
        assert together[name] == pytest.approx(alone, rel=1e-9), name
