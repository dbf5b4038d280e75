"""Folders with made-up runs."""

from pathlib import Path

import numpy as np
import pytest
from made_up_runs import Runs, add_film, add_pictures

CORES = ("DNC", "NTM", "LRU", "Introspection", "RMR")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """200 runs of 100 steps: five cores and four sizes, ten seeds; with pictures and films."""
    written = Runs(tmp_path / "many")
    for core in CORES:
        for seed in range(10):
            for slots in (8, 16, 32, 64):
                run, noise = f"{core}-{slots}-{seed}", np.random.default_rng(seed).normal()
                kl = 4 + CORES.index(core) - slots / 32 + 0.2 * noise
                folder = written.frames(core, seed, kl, run=run, memory={"slots": slots})
                add_pictures(folder, "generations")
                add_film(folder, steps=96, slots=32)
    return written.root
