"""Noise of latents: each sequence has its own, whatever its batch, process or device.

The noise is a function of the sequence's id and a key, not of a generator's state. An interrupted
training therefore continues with the same noise, and results do not depend on how sequences are
batched.
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
    """Purpose of the noise; no two purposes share any."""

    TRAINING = 0
    EVALUATION = 1
    PICTURES = 2


class Moment(NamedTuple):
    """Moment of a training: with the sequences, it determines a step's random numbers."""

    seed: int  #: of the run
    step: int  #: number of completed steps
    batch: int  #: index of the batch in its epoch
    rank: int  #: of the process


def sequence_noise(
    episodes: Tensor, shape: tuple[int, ...], *key: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Draw standard normal noise that is a function of each sequence's id and a key.

    It is drawn on the CPU, so that it is the same for all devices.

    Args:
        episodes: ids of the sequences, int64 [B], best on the CPU.
        shape: shape of one sequence's noise.
        *key: whole numbers: a seed, a purpose, and anything else that identifies this noise.
        device: the device on which it is needed.

    Returns:
        noise: float32 [B, *shape].
    """
    # torch's generator takes a seed of 32 bits.
    seeds = hashed(episodes.cpu().numpy(), *key) >> np.uint64(32)
    # Pinned memory, so that a step does not wait for the previous one to end on the device.
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
