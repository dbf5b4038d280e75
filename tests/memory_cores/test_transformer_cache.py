"""The transformer cache against a NumPy reference, its positions, its start and its settings."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import Items, MemorySizes, TransformerCache
from memory_cores.parts.clock import clock_periods, ticks
from tests.memory_cores import transformer_cache_reference as reference
from tests.memory_cores.random_use import random_step, randomised
from tests.memory_cores.rmr_parameters import array, of_attention

SIZES = MemorySizes(control=3, key=2, value=4, steps=50)
QUERY_SIZES = SIZES._replace(query=2)
both_kinds = pytest.mark.parametrize("kind", ["rotary", "alibi"])


def make(sizes: MemorySizes = SIZES, scale: float = 1.0, **settings: Any) -> TransformerCache:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    return randomised(TransformerCache(sizes, **settings), scale)


def parameters_of(core: TransformerCache) -> dict[str, Any]:
    kind = (core.attention if core.sizes.query else core).positions.kind
    shared = {"kind": kind, "top_k": core.top_k, "length": core.sizes.steps}
    if core.sizes.query:
        return {"attention": of_attention("multihead", core.attention), **shared}
    R = core.read_heads
    return {
        "heads": R,
        "value_size": core.sizes.value,
        "queries": np.split(array(core.queries.weight), R),
        "bias": np.split(array(core.queries.bias), R),
        "keys": np.split(array(core.keys.weight), R),
        "marks": array(core.marks) if core.positions.pairs else None,
        **shared,
    }


def ages(state: Any) -> Tensor:
    """Return the steps since each slot was written, [B, N]."""
    return state.now - state.steps


@both_kinds
@pytest.mark.parametrize(
    ("slots", "heads", "head_size", "top_k"), [(1, 1, 4, None), (30, 3, 9, None), (6, 2, 8, 3)]
)
def test_fifty_steps_equal_the_reference(
    kind: Any, slots: int, heads: int, head_size: int, top_k: int | None
) -> None:
    shape = {"slots": slots, "read_heads": heads, "head_size": head_size}
    core = make(positions=kind, top_k=top_k, **shape)
    parameters = parameters_of(core)
    state: Any = core.initial_state(2, torch.zeros(1).double())
    caches: list[list[reference.Item]] = [[], []]
    for t in range(50):
        control, items = random_step(SIZES, 2, items=(1, 1, 3, 0)[t % 4])
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        for b in range(2):
            rows = tuple(part[b].numpy() for part in items)
            caches[b] = reference.push(caches[b], t, rows, slots)
            expected, weights = reference.read(caches[b], t, control[b].numpy(), parameters)
            assert np.abs(reads[b].numpy() - expected).max() < 1e-9, f"reads at step {t}"
            filled = len(caches[b])
            found = state.read_weights[b].numpy()
            assert not found[:, filled:].any()
            if filled:
                newest_first = found[:, :filled][:, ::-1]
                assert np.abs(newest_first - np.array(weights)).max() < 1e-9, f"step {t}"
                if kind == "alibi":  # rotated keys contain their steps
                    assert ages(state)[b, :filled].tolist() == [t - i.step for i in caches[b][::-1]]


@both_kinds
@pytest.mark.parametrize(("slots", "top_k"), [("all", None), (5, None), ("all", 3)])
def test_fifty_look_ups_equal_the_reference(kind: Any, slots: Any, top_k: int | None) -> None:
    """At once and step by step: the current items and the last ones of earlier steps."""
    core = make(QUERY_SIZES, 0.7, slots=slots, positions=kind, top_k=top_k, attention_heads=1)
    parameters, T = parameters_of(core), 50
    sets = [random_step(SIZES, 2, items=2)[1] for _ in range(T)]
    items = Items(*(torch.stack(parts, 1) for parts in zip(*sets, strict=True)))
    controls, queries = torch.zeros(2, T, 3).double(), torch.randn(2, T, 2, 2).double()
    with torch.no_grad():
        snapshot, total, number, _ = core.unroll(controls, items)
        at_once = core.lookup(snapshot, queries)
        state, steps = core.initial_state(2, controls), []
        for t in range(T):
            state = core.write(state, controls[:, t], sets[t])
            found = core.lookup(core.snapshot(state, sets[t]), queries[:, t])
            steps.append((found, *core.pool(state)))
    for ours, step in zip((at_once, total, number), zip(*steps, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(step, 1), rtol=0, atol=1e-9)
    cache: list[reference.Item] = []
    for t in range(T):
        earlier = cache[-5:] if slots == 5 else cache
        current = reference.push([], t, tuple(part[0].numpy() for part in sets[t]), 99)
        for m in range(2):
            query = queries[0, t, m].numpy()
            expected = reference.look_up(earlier + current, t, query, parameters)
            assert np.abs(at_once[0, t, m].numpy() - expected).max() < 1e-9, f"step {t}"
        assert number[0, t] == len(earlier)
        cache = cache + current


# Positions --------------------------------------------------------------------------------------


@both_kinds
def test_an_empty_step_ages_items_and_their_order_in_a_set_does_not_matter(kind: Any) -> None:
    core = make(scale=0.2, positions=kind)
    control, items = random_step(SIZES, 1, items=3)
    items = items._replace(mask=torch.ones(1, 3, dtype=torch.bool))
    nothing = Items(*(part[:, :0] for part in items))
    first = core.write(core.initial_state(1, control), control, items)
    flipped = core.write(
        core.initial_state(1, control), control, Items(*(part.flip(1) for part in items))
    )
    torch.testing.assert_close(core.read(flipped, control)[0], core.read(first, control)[0])
    later = core.write(first, control, nothing)
    # All are older by one step, which alone distinguishes no two of them.
    torch.testing.assert_close(ages(later)[:, :3], ages(first)[:, :3] + 1)
    # It does together with newer items.
    newer = random_step(SIZES, 1, items=3)[1]._replace(mask=items.mask)
    old, young = core.write(later, control, newer), core.write(first, control, newer)
    assert not torch.allclose(core.read(old, control)[0], core.read(young, control)[0])


def test_only_the_best_items_are_read() -> None:
    core = make(slots=9, top_k=2)
    state: Any = core.initial_state(1, torch.zeros(1).double())
    for _ in range(9):
        control, items = random_step(SIZES, 1, items=1)
        state = core.write(state, control, items._replace(mask=torch.ones(1, 1) > 0))
    weights = core.read(state, control)[1].read_weights
    core.top_k = None
    whole = core.read(state, control)[1].read_weights
    best = whole.topk(2, 2).indices
    shares = whole.gather(2, best)
    torch.testing.assert_close(weights.gather(2, best), shares / shares.sum(2, keepdim=True))
    assert ((weights > 0).sum(2) == 2).all()


# The start --------------------------------------------------------------------------------------


def started(kind: Any, steps: int = 15, units: int = 128) -> tuple[TransformerCache, Tensor]:
    """Return a new core, and its weights [R, lag - 1] for a control like that of 9 steps ago."""
    torch.manual_seed(0)
    clock = clock_periods(units, steps)
    sizes = MemorySizes(units, units, 8, steps, clock=clock)
    core = TransformerCache(sizes, positions=kind)
    states = torch.randn(steps + 1, 4, units) / 3
    states[:, :, : 2 * len(clock)] = ticks(clock, steps)[:, None]
    state, there = core.initial_state(4, states), torch.ones(4, 1, dtype=torch.bool)
    for t in range(steps):
        item = Items(states[t][:, None], torch.randn(4, 1, 8), there)
        state = core.write(state, states[t + 1], item)
    control = states[steps].clone()
    control[:, 2 * len(clock) :] = states[steps - 9, :, 2 * len(clock) :]
    return core, core.read(state, control)[1].read_weights.mean(0)


@both_kinds
def test_heads_start_by_content_and_at_lags(kind: Any) -> None:
    _, weights = started(kind)
    assert (weights[:2].argmax(1) == 8).all() and (weights[:2, 8] > 0.6).all()
    for head, lag in zip(weights[2:], (3.2, 7.5, 11.8), strict=True):
        near = (torch.arange(1, 16) - lag).abs() < 2
        assert head[near].sum() > 0.75
    # Lags between two heads keep enough weight to be learned.
    assert weights[2:].amax(0)[:13].min() > 0.1 / 15


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": 0}, "slots must be at least 1, got 0"),
        ({"slots": "all"}, "slots must be a number .*, got all"),
        ({"head_size": 0}, "head_size must be at least 1, got 0"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"positions": "sine"}, "positions must be one of .*rotary.*, got 'sine'"),
        ({"sizes": QUERY_SIZES._replace(query=3)}, "as wide as keys \\(2\\), got 3"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerCache(**{"sizes": SIZES, **settings})


def test_a_cache_of_all_items_has_no_size() -> None:
    assert TransformerCache(QUERY_SIZES, slots="all").state_size is None


@pytest.mark.parametrize("sizes", [SIZES, QUERY_SIZES])
def test_weights_keep_their_positions_for_sequences_of_another_length(sizes: MemorySizes) -> None:
    """Periods depend on the sequence length, and are saved with the weights."""
    short = make(sizes, slots=9, head_size=16, attention_heads=1)
    longer = make(sizes._replace(steps=400), slots=9, head_size=16, attention_heads=1)
    longer.load_state_dict(short.state_dict())
    drawn = [random_step(sizes, 2, items=1) for _ in range(9)]
    found = []
    for core in (short, longer):
        state = core.initial_state(2, drawn[0][0])
        for control, items in drawn:
            state = core.write(state, control, items)
        if sizes.query:
            found.append(core.lookup(core.snapshot(state, drawn[-1][1]), drawn[0][1].keys))
        else:
            found.append(core.read(state, drawn[-1][0])[0])
    assert torch.equal(*found)
