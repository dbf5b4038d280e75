"""Noise of latents: every sequence has its own, whatever batch, process or device it is in.

Since it depends on numbers that are known of a sequence, and on no generator that must be in the
right state, a training that was interrupted goes on with the noise that it would have had, and a
result does not depend on how sequences were batched.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Increment and factors of SplitMix64 (Steele et al. 2014), whose outputs look independent.
GAMMA = np.uint64(0x9E3779B97F4A7C15)
FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)


class Purpose(IntEnum):
    """What noise is drawn for; no two purposes share any."""

    TRAINING = 0
    EVALUATION = 1
    PICTURES = 2


class Moment(NamedTuple):
    """Moment of a training, which with its sequences decides the random numbers of a step."""

    seed: int  #: of the run
    step: int  #: steps made before
    batch: int  #: number of the batch in its epoch
    rank: int  #: of the process


def sequence_noise(
    episodes: Tensor, shape: tuple[int, ...], *key: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Draw standard normal noise that is a function of each sequence's id and a key.

    It is drawn on the CPU, so that all devices have the same.

    Args:
        episodes: ids of the sequences, int64 [B], best on the CPU.
        shape: of one sequence's noise.
        *key: whole numbers: a seed, a purpose, and whatever else tells this noise from others.
        device: where it is needed.

    Returns:
        noise: float32 [B, *shape].
    """
    # torch seeds its generator with 32 bits.
    seeds = hashed(episodes.cpu().numpy(), *key) >> np.uint64(32)
    # From pinned memory, so that no step waits for the one before it to end on the device.
    pinned = torch.device(device).type == "cuda"
    noise, generator = torch.empty(len(seeds), *shape, pin_memory=pinned), torch.Generator()
    for seed, row in zip(seeds.tolist(), noise.unbind(), strict=True):
        row.normal_(generator=generator.manual_seed(seed))
    return noise.to(device, non_blocking=pinned)


def hashed(episodes: NDArray[np.int64], *key: int) -> NDArray[np.uint64]:
    """Hash each id with the key to 64 bits."""
    state = np.zeros(1, np.uint64)
    for part in (*(np.array([number]) for number in key), episodes):
        state = _mixed(state ^ part.astype(np.uint64))
    return state


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Take a step of SplitMix64; sums and products are modulo 2^64."""
    state = state + GAMMA
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        state = (state ^ (state >> shift)) * factor
    return state ^ (state >> SHIFTS[2])
