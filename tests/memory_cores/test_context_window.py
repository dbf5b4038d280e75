"""The context window against a NumPy oracle, and its order, overflow, start, look-ups and pool."""

from itertools import permutations

import numpy as np
import pytest
import torch
from context_window_oracle import step
from random_use import random_step, randomised

from memory_cores import ContextWindow, Items, MemorySizes
from memory_cores.addressing import masked_softmax
from memory_cores.context_window import ContextWindowSnapshot, ContextWindowState

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)


def make_window(scale: float = 1.0, sizes: MemorySizes = SIZES, **settings: int) -> ContextWindow:
    """A float64 core with standard-normal parameters times ``scale``, whatever its start is."""
    torch.manual_seed(0)
    return randomised(ContextWindow(sizes, **{"read_heads": 2, **settings}), scale)


def write_numbers(core: ContextWindow, sets: list[list[float]]) -> ContextWindowState:
    """Write sets of items whose entries are all equal."""
    state = core.initial_state(1, torch.zeros(1, dtype=torch.float64))
    for numbers in sets:
        entries = torch.tensor([numbers], dtype=torch.float64).unsqueeze(2).expand(-1, -1, 2)
        items = Items(entries, entries, torch.ones(1, len(numbers), dtype=torch.bool))
        state = core.write(state, torch.zeros(1, 3).double(), items)
    return state


def held(core: ContextWindow, state: ContextWindowState) -> list[float]:
    keys, values, stored = core.snapshot(state)
    assert torch.equal(keys, values)
    return sorted(values[stored][:, 0].tolist())


@pytest.mark.parametrize("scale", [0.3, 1.0, 8.0])
@pytest.mark.parametrize(("slots", "heads"), [(1, 1), (2, 3), (5, 1), (30, 2)])
def test_fifty_steps_equal_the_oracle(scale: float, slots: int, heads: int) -> None:
    core = make_window(scale, slots=slots, read_heads=heads)
    state, windows = core.initial_state(3, torch.zeros(1, dtype=torch.float64)), [[], [], []]
    weight, bias = (p.detach().numpy() for p in core.read_keys.parameters())
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 5)
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        parts = tuple(part.numpy() for part in items)
        expected, weights, windows = step(windows, slots, control.numpy(), parts, weight, bias)
        assert np.abs(reads.numpy() - expected).max() < 1e-9, f"reads at step {t}"
        for b, (window, by_head) in enumerate(zip(windows, weights, strict=True)):
            last = int(state.written[b])
            ring = [i % slots for i in range(last - len(window), last)]
            found = state.read_weights[b].numpy()
            assert np.abs(found[:, ring] - np.array(by_head)).max(initial=0) < 1e-9
            assert np.abs(found.sum(1) - (1 if window else 0)).max() < 1e-9
            for slot, (key, value) in zip(ring, window, strict=True):
                assert np.array_equal(state.keys[b, slot], key)
                assert np.array_equal(state.values[b, slot], value)


# The ring ---------------------------------------------------------------------------------------


def test_single_items_leave_in_the_order_they_came() -> None:
    core = make_window(slots=3)
    assert held(core, write_numbers(core, [[1], [2]])) == [1, 2]
    assert held(core, write_numbers(core, [[1], [2], [], [3], [4]])) == [2, 3, 4]


@pytest.mark.parametrize("slots", [2, 3, 4])
def test_order_in_a_set_decides_neither_what_stays_nor_where(slots: int) -> None:
    core = make_window(slots=slots)
    outcomes = []
    for order in permutations([1.0, 2.0, 3.0]):
        state = write_numbers(core, [list(order), [4.0], list(order)])
        outcomes.append((held(core, state), state.values.tolist()))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert len(outcomes[0][0]) == slots
    assert set(outcomes[0][0]) <= {1, 2, 3, 4}


def test_what_stays_of_a_large_set_comes_from_all_over_it() -> None:
    """Not one end of the space."""
    core = make_window(slots=50)
    stayed = held(core, write_numbers(core, [torch.linspace(-4, 4, 500).tolist()]))
    quarters = torch.histc(torch.tensor(stayed), 4, -4, 4)
    assert len(stayed) == 50 and quarters.min() >= 5


def test_write_weighting_is_shared_by_the_slots_of_the_step() -> None:
    core = make_window(slots=4)
    weights = [
        write_numbers(core, sets).write_weights[0, 0].tolist() for sets in ([[1, 2]], [[1], []])
    ]
    assert weights == [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]
    assert write_numbers(core, [[1, 2, 3, 4, 5, 6]]).write_weights[0, 0].tolist() == [0.25] * 4


def test_no_item_leaves_the_window_bit_for_bit() -> None:
    core = make_window(slots=4)
    state = write_numbers(core, [[1, 2], [3]])
    control, items = random_step(SIZES, 1, items=3)
    for nothing in (
        random_step(SIZES, 1, 0)[1],
        items._replace(mask=torch.zeros(1, 3, dtype=torch.bool)),
    ):
        new = core.write(state, control, nothing)
        assert torch.equal(new.keys, state.keys) and torch.equal(new.values, state.values)
        assert torch.equal(new.written, state.written)


# Reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_empty_window_reads_zeros_with_finite_gradients(dtype: torch.dtype) -> None:
    core = make_window().to(dtype)
    control = torch.randn(2, 3, dtype=dtype, requires_grad=True)
    reads, state = core.read(core.initial_state(2, control), control)
    reads.sum().backward()
    assert (reads == 0).all() and (state.read_weights == 0).all()
    assert all(x.grad.isfinite().all() for x in (control, *core.parameters()))


def test_masked_softmax_is_softmax_over_what_is_there() -> None:
    scores = torch.tensor([[1.0, 2.0, 900.0], [1.0, 2.0, 900.0], [-1e30, -1e30, 0.0]])
    mask = torch.tensor([[True, True, False], [False] * 3, [True, True, False]])
    expected = torch.tensor([[1.0, 2.0], [0.0, 0.0], [5.0, 5.0]]).softmax(1)
    expected[1] = 0
    torch.testing.assert_close(masked_softmax(scores, mask)[:, :2], expected)
    assert (masked_softmax(scores, mask)[:, 2] == 0).all()


def test_a_new_core_finds_an_item_by_a_control_like_its_key() -> None:
    torch.manual_seed(0)
    core = ContextWindow(MemorySizes(control=32, key=32, value=8, steps=12, query=32))
    keys, values = torch.randn(2, 12, 32) / 3, torch.randn(2, 12, 8)
    items = Items(keys, values, torch.ones(2, 12, dtype=torch.bool))
    state = core.write(core.initial_state(2, keys), torch.zeros(2, 32), items)
    for t in range(12):
        reads, _ = core.read(state, keys[:, t])
        assert (reads.view(2, 5, 8) - values[:, t : t + 1]).abs().mean() < 0.2
    assert (core.lookup(core.snapshot(state), keys) - values).abs().mean() < 0.2


# Look-ups and pool ------------------------------------------------------------------------------


def test_all_steps_at_once_equal_one_after_the_other() -> None:
    core = make_window(sizes=SIZES._replace(query=3))
    stored = torch.arange(7) < torch.tensor([0, 2, 7]).view(1, 3, 1)
    keys, values = torch.randn(2, 2, 3, 7, 2).double()
    snapshot = ContextWindowSnapshot(keys, values, stored.expand(2, 3, 7))
    queries = torch.randn(2, 3, 6, 3).double()
    together = core.lookup(snapshot, queries)
    assert together.shape == (2, 3, 6, 2) and (together[:, 0] == 0).all()
    for t in range(3):
        alone = core.lookup(ContextWindowSnapshot(*(x[:, t] for x in snapshot)), queries[:, t])
        torch.testing.assert_close(together[:, t], alone)


def test_a_pool_counts_what_is_held() -> None:
    core = make_window(slots=3)
    for sets, total, count in [([], 0, 0), ([[1, 2], []], 3, 2), ([[1], [2], [3], [4]], 9, 3)]:
        found_total, found_count = core.pool(write_numbers(core, sets))
        assert found_total.tolist() == [[total] * 2] and found_count.tolist() == [[count]]


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_the_length_of_the_sequence() -> None:
    assert ContextWindow(SIZES).slots == SIZES.steps


@pytest.mark.parametrize("name", ["slots", "read_heads"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        ContextWindow(SIZES, **{name: 0})
