"""Bayesian regression against sums of products, and against recursive least squares."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import BayesianRegression, bayesian_regression
from memory_cores.bayesian_regression import LOG_PRIOR
from memory_cores.parts.solving import solved
from tests.memory_cores.associative_map_reference import (
    PLACES,
    VALUE,
    Array,
    StepInputs,
    assert_equals,
    built,
)
from tests.memory_cores.random_use import empty

Memory = tuple[Array, Array]


def precisions(now: StepInputs) -> Array:
    return np.exp(np.clip(now.gates, -6, 6))


def test_it_is_the_posterior_of_all_items() -> None:
    core = built(BayesianRegression)
    prior = LOG_PRIOR.of(core.raw_prior).exp().tolist()

    def start(head: int) -> tuple[Array, Array, float]:
        return np.zeros((PLACES, PLACES)), np.zeros((PLACES, VALUE)), prior[head]

    def write(memory: tuple[Array, Array, float], now: StepInputs) -> tuple[Array, Array, float]:
        weighted = precisions(now)[:, None] * now.keys
        Lambda, cross, prior_precision = memory
        return (
            now.kept * Lambda + weighted.T @ now.keys,
            now.kept * cross + weighted.T @ now.values,
            prior_precision,
        )

    def read(memory: tuple[Array, Array, float], q: Array) -> Array:
        Lambda, cross, prior_precision = memory
        solved = np.linalg.solve(Lambda + prior_precision * np.eye(PLACES), q)
        return np.append(solved @ cross, solved @ q)

    assert_equals(core, start, write, read, lambda t: t % 5)


def test_without_decay_it_is_recursive_least_squares() -> None:
    """The reference updates the covariance item by item (Sherman-Morrison)."""
    core = built(BayesianRegression)
    with torch.no_grad():
        core.decay.weight.zero_()
        core.decay.bias.fill_(800.0)
    prior = LOG_PRIOR.of(core.raw_prior).exp().tolist()

    def start(head: int) -> Memory:
        return np.eye(PLACES) / prior[head], np.zeros((PLACES, VALUE))

    def write(memory: Memory, now: StepInputs) -> Memory:
        covariance, weights = memory
        for k, v, precision in zip(now.keys, now.values, precisions(now), strict=True):
            gain = covariance @ k / (1 / precision + k @ covariance @ k)
            weights = weights + np.outer(gain, v - k @ weights)
            covariance = covariance - np.outer(gain, k @ covariance)
        return covariance, weights

    def read(memory: Memory, q: Array) -> Array:
        return np.append(q @ memory[1], q @ memory[0] @ q)

    assert_equals(core, start, write, read, lambda t: 1 + t % 3, tolerance=1e-12)


def test_a_pool_is_one_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means at all D places would take D right-hand sides, for the same sum."""
    core, right_hand_sides = built(BayesianRegression), []

    def counted(matrix: Tensor, rows: Tensor, shift: Tensor) -> Tensor:
        right_hand_sides.append(rows.shape[-2])
        return solved(matrix, rows, shift)

    monkeypatch.setattr(bayesian_regression, "solved", counted)
    core.pool(empty(core))
    assert right_hand_sides == [1]
