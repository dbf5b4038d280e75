"""Cores that hold maps against their papers' equations in NumPy, over 50 steps in float64."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory_cores import MLSTM, BayesianRegression, GatedDelta, MemorySizes
from memory_cores.parts.associative_map import AssociativeMap, Coded

STEPS, B, H, D, V = 50, 2, 3, 6, 4
SIZES = MemorySizes(control=5, key=3, value=V, steps=D)
Array = NDArray[np.float64]


def built(kind: type[AssociativeMap], **settings: bool) -> AssociativeMap:
    torch.manual_seed(0)
    core = kind(SIZES, heads=H, **settings).double()
    return core


def drawn(items: int, seed: int) -> tuple[Tensor, Coded]:
    """Raw decays [B, H] and items with keys of unit length."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.double)

    keys = torch.nn.functional.normalize(normal(B, H, items, D), dim=3)
    mask = torch.ones(B, 1, items, dtype=torch.double)
    return normal(B, H) + 2, Coded(keys, normal(B, 1, items, V), normal(B, H, items), mask)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def each_head(decay: Tensor, items: Coded) -> list[tuple[int, int, float, Array, Array, Array]]:
    """Sequence, head, raw decay, keys [N, D], values [N, V] and raw gates [N] in NumPy."""
    return [
        (
            b,
            h,
            float(decay[b, h]),
            items.keys[b, h].numpy(),
            items.values[b, 0].numpy(),
            items.gates[b, h].numpy(),
        )
        for b in range(B)
        for h in range(H)
    ]


@pytest.mark.parametrize("erase", [True, False])
def test_a_gated_delta_rule_learns_one_item_at_a_time(erase: bool) -> None:
    core = built(GatedDelta, erase=erase)
    state = core.initial_state(B, torch.zeros(1).double())
    true = np.zeros((B, H, D, V))
    for t in range(STEPS):
        decay, items = drawn(1, t)
        state = core.follow(state, decay, items)
        for b, h, raw, keys, values, gates in each_head(decay, items):
            alpha, beta, k, v = sigmoid(raw), sigmoid(gates[0]), keys[0], values[0]
            erased = np.eye(D) - beta * erase * np.outer(k, k)
            true[b, h] = alpha * erased @ true[b, h] + beta * np.outer(k, v)
        np.testing.assert_allclose(state.maps.detach().numpy(), true, atol=1e-9)


@pytest.mark.parametrize("number", [2, 5, 20])
def test_a_set_is_one_block_step(number: int) -> None:
    """As many items as places, fewer and more: N equations instead of the core's D."""
    core = built(GatedDelta)
    state = core.initial_state(B, torch.zeros(1).double())
    true = np.zeros((B, H, D, V))
    for t in range(STEPS):
        decay, items = drawn(number, t)
        state = core.follow(state, decay, items)
        for b, h, raw, keys, values, gates in each_head(decay, items):
            old = sigmoid(raw) * true[b, h]
            noise = np.diag(1 / sigmoid(gates) - 1)
            true[b, h] = old + keys.T @ np.linalg.solve(keys @ keys.T + noise, values - keys @ old)
        np.testing.assert_allclose(state.maps.detach().numpy(), true, atol=1e-9)


def test_an_empty_set_only_lets_a_map_decay() -> None:
    core = built(GatedDelta)
    state = core.initial_state(B, torch.zeros(1).double())._replace(
        maps=torch.randn(B, H, D, V).double()
    )
    decay, items = drawn(0, 0)
    found = core.follow(state, decay, items).maps
    torch.testing.assert_close(found, decay.sigmoid()[..., None, None] * state.maps)


@pytest.mark.parametrize("size", [0.0, 1.0, 3.9, 4.1, 1e6])
def test_a_large_read_of_a_gated_delta_rule_is_scaled_down(size: float) -> None:
    """All rows of the maps are one vector r: a code q finds it sum(q) times."""
    core = built(GatedDelta)
    r = size * torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    maps = r.expand(B, H, D, V).clone().requires_grad_()
    state = core.initial_state(B, torch.zeros(1).double())._replace(maps=maps)
    queries = torch.full((B, H, 1, D), 1 / D).double()
    found = core.answer(core.held(state), queries)
    expected = r * min(1.0, 4 / size if size else 1.0)
    torch.testing.assert_close(found, expected.expand_as(found))
    found.sum().backward()
    assert maps.grad is not None and maps.grad.isfinite().all()


@pytest.mark.parametrize("number", [1, 4])
def test_a_stabilised_mlstm_reads_what_the_plain_one_does(number: int) -> None:
    core = built(MLSTM)
    state = core.initial_state(B, torch.zeros(1).double())
    maps, norms = np.zeros((B, H, V, D)), np.zeros((B, H, D))
    queries = drawn(7, 99)[1].keys
    for t in range(STEPS):
        decay, items = drawn(number, t)
        state = core.follow(state, decay, items)
        found = core.answer(core.held(state), queries).detach().numpy()
        for b, h, raw, keys, values, gates in each_head(decay, items):
            maps[b, h] *= sigmoid(raw)
            norms[b, h] *= sigmoid(raw)
            for k, v, gate in zip(keys, values, gates, strict=True):
                maps[b, h] += np.exp(gate) * np.outer(v, k)
                norms[b, h] += np.exp(gate) * k
            for m, q in enumerate(queries[b, h].numpy()):
                read = maps[b, h] @ q / max(abs(norms[b, h] @ q), 1)
                np.testing.assert_allclose(found[b, h, m], read, atol=1e-9)


def test_an_input_gate_of_any_size_is_no_overflow() -> None:
    core = built(MLSTM).float()
    state = core.initial_state(B, torch.zeros(1))
    decay, items = drawn(1, 0)
    items = Coded(*(part.float() for part in items))
    items = items._replace(gates=torch.full_like(items.gates, 500.0))
    state = core.follow(state, decay.float(), items)
    read = core.answer(core.held(state), items.keys)
    torch.testing.assert_close(read, items.values.expand_as(read))


@pytest.mark.parametrize("number", [1, 3])
def test_regression_is_that_of_recursive_least_squares(number: int) -> None:
    """Without decay: the covariance is updated item by item, by Sherman and Morrison."""
    core = built(BayesianRegression)
    prior = core.log_prior.exp().tolist()
    state = core.initial_state(B, torch.zeros(1).double())
    covariance = np.stack([np.eye(D) / p for p in prior])[None].repeat(B, 0)
    weights = np.zeros((B, H, D, V))
    queries = drawn(7, 99)[1].keys
    for t in range(STEPS):
        decay, items = drawn(number, t)
        state = core.follow(state, torch.full_like(decay, 800.0), items)
        for b, h, _, keys, values, gates in each_head(decay, items):
            for k, v, gate in zip(keys, values, gates, strict=True):
                spread = covariance[b, h] @ k
                sigma2 = np.exp(-np.clip(gate, -6, 6))
                gain = spread / (sigma2 + k @ spread)
                weights[b, h] += np.outer(gain, v - k @ weights[b, h])
                covariance[b, h] -= np.outer(gain, spread)
    found = core.answer(core.held(state), queries).detach().numpy()
    for b in range(B):
        for h in range(H):
            for m, q in enumerate(queries[b, h].numpy()):
                np.testing.assert_allclose(found[b, h, m, :V], q @ weights[b, h], atol=1e-11)
                np.testing.assert_allclose(found[b, h, m, V], q @ covariance[b, h] @ q, atol=1e-12)
