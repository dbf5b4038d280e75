"""Scripts: which earlier step shows what a step shows."""

import numpy as np

from datamodules.frames.script import recalled_from
from datamodules.maze import random_walk


def test_recalled_from_agrees_with_a_dictionary() -> None:
    places = np.stack([random_walk(np.random.default_rng(seed), 3, 60)[0] for seed in range(20)])
    for place, answer in zip(places, recalled_from(places), strict=True):
        last: dict[int, int] = {}
        for step, cell in enumerate(place):
            assert answer[step] == last.get(cell, -1)
            last[cell] = step
