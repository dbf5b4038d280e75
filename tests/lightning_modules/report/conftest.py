"""Folders with synthetic runs."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.lightning_modules.records.made_up_runs import Runs, add_film, add_pictures

CORES = ("DNC", "NTM", "LRU", "Introspection", "RMR")


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 runs of 100 steps: five cores and four sizes, ten seeds; with pictures and films."""
    written = Runs(tmp_path_factory.mktemp("many"))
    example = tmp_path_factory.mktemp("example")
    add_pictures(example, "generations")
    add_film(example, steps=96, slots=32)
    for core, seed, slots in product(CORES, range(10), (8, 16, 32, 64)):
        noise = np.random.default_rng([seed, slots]).normal()
        kl = 4 + CORES.index(core) - slots / 32 + 0.2 * noise
        run = f"{core}-{slots}-{seed}"
        folder = written.frames(core, seed, kl, run=run, memory={"slots": slots})
        shutil.copytree(example, folder, dirs_exist_ok=True)
    return written.root
