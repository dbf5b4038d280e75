"""Retrieval of untrained maps, look-ups and pools in NumPy, and maps under autocast."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import DKM, MLSTM, BayesianRegression, GatedDelta, Items, MemorySizes
from memory_cores.core import Recollections
from memory_cores.parts.associative import spread_lags
from memory_cores.parts.associative_map import AssociativeMap
from tests.memory_cores.associative_map_reference import Array, coded
from tests.memory_cores.parts import test_associative
from tests.memory_cores.parts.test_associative import STEPS, UNITS, ticking
from tests.memory_cores.random_use import empty, random_step, randomised

T, B, N, V = 20, 4, 25, 32
SIZES = MemorySizes(control=8, key=2, value=V, steps=20, query=2, key_range=2.0)
BY_HEADS = test_associative.SIZES._replace(value=STEPS)
SMALL = MemorySizes(control=4, key=2, value=5, steps=6, query=2)
CORES = [DKM, GatedDelta, BayesianRegression, MLSTM]
by_operators = pytest.mark.parametrize(
    "by_operators", [pytest.param(True, marks=pytest.mark.operators), False]
)


@by_operators
@pytest.mark.parametrize("kind", CORES)
def test_autocast_changes_reads_only_by_rounding(
    kind: type[AssociativeMap], by_operators: bool
) -> None:
    """The matrices of linear solves must not be rounded.

    With large sets and open gates, Gram matrices are far from the identity.
    """
    torch.manual_seed(0)
    core = kind(SIZES)
    if core.gated:
        with torch.no_grad():
            core.key_codes.scores.bias[-core.heads :] = 5.0
    keys, values = 4 * torch.rand(B, T, N, 2) - 2, torch.randn(B, T, N, V)
    items = Items(keys, values, torch.rand(B, T, N) < 0.9)
    controls, queries = torch.randn(B, T, 8), 4 * torch.rand(B, T, 6, 2) - 2

    def recall() -> tuple[torch.Tensor, Recollections]:
        recalled = core.unroll(controls, items)
        codes, _ = core.key_codes(queries)
        return core._answer_exactly(recalled.snapshot[3:], codes.transpose(-3, -2)), recalled

    exact, _ = recall()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, recalled = recall()
        values_read = core.lookup(recalled.snapshot, queries)
    assert (rounded - exact).norm() < 0.05 * exact.norm()
    values_read.float().square().sum().backward()
    for part in (
        values_read,
        recalled.total,
        *(p.grad for p in core.parameters() if p.grad is not None),
    ):
        assert part.isfinite().all()


def shares_read(core: AssociativeMap, keys: Tensor, control: Tensor) -> Tensor:
    """Write items with all keys but the last, read with the control; return [R, items].

    Values are orthogonal, so that a read shows how much it has of each.
    """
    count, batch = len(keys) - 1, keys.shape[1]
    values = (STEPS**0.5 * torch.eye(STEPS)).expand(batch, -1, -1).split(1, 1)
    state, present = core.initial_state(batch, keys), torch.ones(batch, 1, dtype=torch.bool)
    with torch.no_grad():
        for key, value, following in zip(keys, values, [*keys[1:-1], control], strict=False):
            item = Items(key.unsqueeze(1), value, present)
            reads, state, _ = core.write_and_read(state, following, item)
    shares = reads.unflatten(1, (core.read_heads, -1)).mean(0) / STEPS**0.5
    return shares[:, :count]


@pytest.mark.parametrize("kind", CORES)
def test_heads_by_time_read_at_their_lags(kind: type[AssociativeMap]) -> None:
    torch.manual_seed(0)
    states = ticking(6)
    shares = shares_read(kind(BY_HEADS), states, states[-1])[3:].flip(1)
    ages = torch.arange(1, STEPS)
    for head, lag in zip(shares, spread_lags(3, STEPS), strict=True):
        there = (ages - lag).abs() < 1
        assert head[there].sum() > 0.9
        assert head[~there].abs().max() < 0.1


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("kind", CORES)
def test_heads_by_content_read_a_similar_state_at_any_time(
    kind: type[AssociativeMap], clock: bool
) -> None:
    """With a clock these are the heads of the first map, without one all."""
    torch.manual_seed(0)
    core = kind(BY_HEADS if clock else BY_HEADS._replace(clock=()))
    states, hands = ticking(6), 16 * clock
    states[:, :, hands:] = 0.35 * torch.randn(STEPS, 6, UNITS - hands)
    for step in (2, 7, 11):
        control = torch.cat([states[-1, :, :hands], states[step, :, hands:]], 1)
        shares = shares_read(core, states, control)[: 3 if clock else 6]
        assert (shares.argmax(1) == step).all()
        assert (shares.amax(1) > 0.2).all()


def test_without_a_clock_each_map_has_centres_of_its_own() -> None:
    torch.manual_seed(0)
    core = GatedDelta(BY_HEADS._replace(clock=()))
    codes, _ = core.key_codes(0.35 * torch.randn(200, UNITS))
    assert (codes[:, 0].argmax(1) == codes[:, 1].argmax(1)).float().mean() < 0.2


def written(kind: type[AssociativeMap]) -> tuple[AssociativeMap, Any, Items]:
    """Return a random core after three steps of four items, the state and the last items.

    The second sequence has no items.
    """
    torch.manual_seed(0)
    core = randomised(kind(SMALL, heads=3, attention="laplace"), 0.5)
    state = empty(core, 2)
    with torch.no_grad():
        for _ in range(3):
            control, items = random_step(SMALL, 2, 4)
            items.mask[1] = False
            state = core.write(state, control, items)
    return core, state, items


@pytest.mark.parametrize("kind", CORES)
def test_a_lookup_adds_attention_to_items_and_a_map_of_all_answers(
    kind: type[AssociativeMap],
) -> None:
    """In NumPy, given what each map answers; weights of the attention are exp(-distance)."""
    core, state, items = written(kind)
    queries = torch.randn(2, 5, SMALL.key).double()
    with torch.no_grad():
        found = core.lookup(core.snapshot(state, items), queries).numpy()
        codes = [coded(core.key_codes, each)[0].swapaxes(0, 1) for each in queries.numpy()]
        answers = core.answer(core.maps(state), torch.tensor(np.array(codes))).numpy()
    W = core.merge.weight.detach().numpy()
    for b, m in np.ndindex(2, 5):
        keys, values = (part[b][items.mask[b]].numpy() for part in items[:2])
        weights = np.exp(-np.abs(keys - queries[b, m].numpy()).sum(1))
        near = weights @ values / max(weights.sum(), 1e-9)
        expected = near + W @ np.concatenate([answer[m, : SMALL.value] for answer in answers[b]])
        if core.uncertain:
            expected = np.append(expected, answers[b, :, m, -1].mean())
        np.testing.assert_allclose(found[b, m], expected, atol=1e-12)


def values_at_places(kind: type[AssociativeMap], maps: list[Array]) -> Array:
    """Return the values [H, D, V] that one sequence's maps store."""
    if kind is MLSTM:
        matrices, norms, scale = maps
        return matrices / np.maximum(np.abs(norms), np.exp(-scale)[:, None])[..., None]
    if kind is BayesianRegression:
        Lambda, cross, prior = maps
        return np.linalg.solve(Lambda + prior[:, None, None] * np.eye(Lambda.shape[1]), cross)
    return maps[0][..., -SMALL.value :]


@pytest.mark.parametrize("kind", CORES)
def test_a_pool_sums_the_values_at_all_places(kind: type[AssociativeMap]) -> None:
    """Averaged over the maps; their number is D, or 0 where nothing was written."""
    core, state, _ = written(kind)
    with torch.no_grad():
        maps = [part.numpy() for part in core.maps(state)]
        total, number = core.pool(state)
    for b in range(2):
        values = values_at_places(kind, [part[b] for part in maps])
        np.testing.assert_allclose(total[b], values.sum(1).mean(0), atol=1e-12)
    assert number.tolist() == [[6], [0 if core.starts_empty else 6]]
