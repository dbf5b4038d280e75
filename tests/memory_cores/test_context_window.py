"""The context window against a NumPy reference; its order, overflow, start, look-ups and pool."""

from itertools import permutations
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import ContextWindow, Items, MemorySizes
from memory_cores.parts import context_store
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.item_cache import ItemCacheState
from tests.memory_cores import context_window_reference as reference
from tests.memory_cores import rmr_reference
from tests.memory_cores.random_use import random_step, randomised
from tests.memory_cores.rmr_parameters import of_attention

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)
QUERY_SIZES = SIZES._replace(query=2)


def make_window(scale: float = 1.0, sizes: MemorySizes = SIZES, **settings: int) -> ContextWindow:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    return randomised(ContextWindow(sizes, **{"read_heads": 2, **settings}), scale)


def write_numbers(core: ContextWindow, sets: list[list[float]]) -> ItemCacheState:
    """Write sets of items whose entries are all equal."""
    state = core.initial_state(1, torch.zeros(1, dtype=torch.float64))
    for numbers in sets:
        entries = torch.tensor([numbers], dtype=torch.float64).unsqueeze(2).expand(-1, -1, 2)
        items = Items(entries, entries, torch.ones(1, len(numbers), dtype=torch.bool))
        state = core.write(state, torch.zeros(1, 3).double(), items)
    return state


def stored(core: ContextWindow, state: ItemCacheState) -> list[float]:
    assert torch.equal(state.keys, state.values)
    number = int(core.pool(state)[1])
    return sorted(state.values[0, :number, 0].tolist())


@pytest.mark.parametrize("scale", [0.3, 1.0, 8.0])
@pytest.mark.parametrize(("slots", "heads"), [(1, 1), (2, 3), (5, 1), (30, 2)])
def test_fifty_steps_equal_the_reference(scale: float, slots: int, heads: int) -> None:
    core = make_window(scale, slots=slots, read_heads=heads)
    state, windows = core.initial_state(3, torch.zeros(1, dtype=torch.float64)), [[], [], []]
    weight, bias = (p.detach().numpy() for p in core.read_keys.parameters())
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 5)
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        parts = tuple(part.numpy() for part in items)
        expected, weights, windows = reference.step(
            windows, slots, control.numpy(), parts, weight, bias
        )
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
    assert stored(core, write_numbers(core, [[1], [2]])) == [1, 2]
    assert stored(core, write_numbers(core, [[1], [2], [], [3], [4]])) == [2, 3, 4]


@pytest.mark.parametrize("slots", [2, 3, 4])
def test_order_in_a_set_affects_neither_which_items_are_kept_nor_where(slots: int) -> None:
    core = make_window(slots=slots)
    outcomes = []
    for order in permutations([1.0, 2.0, 3.0]):
        state = write_numbers(core, [list(order), [4.0], list(order)])
        outcomes.append((stored(core, state), state.values.tolist()))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert len(outcomes[0][0]) == slots
    assert set(outcomes[0][0]) <= {1, 2, 3, 4}


def test_items_kept_of_a_large_set_cover_the_space() -> None:
    core = make_window(slots=50)
    kept = stored(core, write_numbers(core, [torch.linspace(-4, 4, 500).tolist()]))
    quarters = torch.histc(torch.tensor(kept), 4, -4, 4)
    assert len(kept) == 50 and quarters.min() >= 5


def test_write_weighting_is_shared_by_the_slots_of_the_step() -> None:
    core = make_window(slots=4)
    weights = [
        core.weightings(write_numbers(core, sets)).write[0, 0].tolist()
        for sets in ([[1, 2]], [[1], []])
    ]
    assert weights == [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]
    state = write_numbers(core, [[1, 2, 3, 4, 5, 6]])
    assert core.weightings(state).write[0, 0].tolist() == [0.25] * 4


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


def test_masked_softmax_is_softmax_over_unmasked_entries() -> None:
    scores = torch.tensor([[1.0, 2.0, 900.0], [1.0, 2.0, 900.0], [-1e30, -1e30, 0.0]])
    mask = torch.tensor([[True, True, False], [False] * 3, [True, True, False]])
    expected = torch.tensor([[1.0, 2.0], [0.0, 0.0], [5.0, 5.0]]).softmax(1)
    expected[1] = 0
    torch.testing.assert_close(masked_softmax(scores, mask)[:, :2], expected)
    assert (masked_softmax(scores, mask)[:, 2] == 0).all()


def test_a_new_core_reads_an_item_by_a_control_like_its_key() -> None:
    torch.manual_seed(0)
    core = ContextWindow(MemorySizes(control=32, key=32, value=8, steps=12))
    keys, values = torch.randn(2, 12, 32) / 3, torch.randn(2, 12, 8)
    items = Items(keys, values, torch.ones(2, 12, dtype=torch.bool))
    state = core.write(core.initial_state(2, keys), torch.zeros(2, 32), items)
    for t in range(12):
        reads, _ = core.read(state, keys[:, t])
        assert (reads.view(2, 5, 8) - values[:, t : t + 1]).abs().mean() < 0.2


# Look-ups ---------------------------------------------------------------------------------------


def make_by_query(slots: int | Literal["all"], **settings: Any) -> ContextWindow:
    """Build a float64 core for models that read by query."""
    torch.manual_seed(0)
    return ContextWindow(QUERY_SIZES, slots=slots, attention_heads=4, **settings).double()


def random_sets(steps: int, size: int) -> tuple[Tensor, Items, Tensor]:
    """Draw controls, sets of up to ``size`` items, and 4 queries per step, for 3 sequences."""
    items = [random_step(SIZES, 3, size)[1] for _ in range(steps)]
    together = Items(*(torch.stack(parts, 1) for parts in zip(*items, strict=True)))
    together.mask[:, 3] = together.mask[2, :5] = False
    queries = torch.randn(3, steps, 4, QUERY_SIZES.query, dtype=torch.float64)
    return torch.zeros(3, steps, SIZES.control).double(), together, queries


def step_by_step(
    core: ContextWindow, controls: Tensor, items: Items, queries: Tensor
) -> tuple[Tensor, ...]:
    state, steps = core.initial_state(3, controls), []
    for t in range(controls.shape[1]):
        step = Items(*(part[:, t] for part in items))
        state = core.write(state, controls[:, t], step)
        values = core.lookup(core.snapshot(state, step), queries[:, t])
        steps.append((values, *core.pool(state)))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))


every_window = pytest.mark.parametrize("slots", [0, 3, 1_000, "all"])
#: Values of ``COPY`` and ``QUERIES`` that select each form of look-up.
FORMS = [(1e9, 1), (1e9, 7), (1e9, 10_000), (-1e9, 1)]
every_form = pytest.mark.parametrize(("copy", "queries"), FORMS)


@every_window
@pytest.mark.parametrize("attention", ["multihead", "laplace"])
def test_fifty_look_ups_equal_the_reference(
    slots: Any, attention: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once and step by step: the current items and the most recent earlier ones."""
    core = make_by_query(slots, attention=attention)
    controls, items, places = random_sets(steps=50, size=5)
    parameters = of_attention(attention, core.attention)
    results = {}
    for form in FORMS:
        monkeypatch.setattr(context_store, "COPY", form[0])
        monkeypatch.setattr(context_store, "QUERIES", form[1])
        with torch.no_grad():
            snapshot, *pooled, _ = core.unroll(controls, items)
            results[form, "at once"] = core.lookup(snapshot, places), *pooled
            results[form, "step by step"] = step_by_step(core, controls, items, places)
    for b in range(3):
        keys, values, mask = (part[b].numpy() for part in items)
        sets = [list(zip(keys[t][mask[t]], values[t][mask[t]], strict=True)) for t in range(50)]
        for t in range(50):
            visible = reference.seen(sets[: t + 1], None if slots == "all" else slots)
            found = [rmr_reference.attend(q, visible, parameters) for q in places[b, t].numpy()]
            earlier = [value for _, value in visible[len(sets[t]) :]]
            total = sum(earlier, np.zeros(SIZES.value))
            expected = (np.array(found), total, np.array([len(earlier)]))
            for how, ours in results.items():
                for ours_part, part in zip(ours, expected, strict=True):
                    assert np.abs(ours_part[b, t].numpy() - part).max() < 1e-9, f"step {t}, {how}"


@every_window
@every_form
def test_gradients_at_once_equal_those_step_by_step(
    slots: Any, copy: float, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_store, "COPY", copy)
    monkeypatch.setattr(context_store, "QUERIES", queries)
    core = make_by_query(slots)
    controls, items, places = random_sets(steps=8, size=4)
    leaves = [*core.parameters(), *(x.requires_grad_() for x in (*items[:2], places))]
    snapshot, total, _, _ = core.unroll(controls, items)
    together = core.lookup(snapshot, places).square().sum() + total.square().sum()
    found, total, _ = step_by_step(core, controls, items, places)
    alone = found.square().sum() + total.square().sum()
    for ours, theirs in zip(
        torch.autograd.grad(together, leaves), torch.autograd.grad(alone, leaves), strict=True
    ):
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs)


def test_look_ups_with_static_shapes_are_the_same() -> None:
    controls, items, places = random_sets(steps=6, size=3)
    for slots in (0, 2, "all"):
        core = make_by_query(slots)

        def recall(core: ContextWindow = core) -> tuple[Tensor, ...]:
            snapshot, *pooled, _ = core.unroll(controls, items)
            return core.lookup(snapshot, places), *pooled

        torch.compiler.reset()
        compiled = torch.compile(recall, fullgraph=True, backend="eager")()
        for ours, theirs in zip(compiled, recall(), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_an_empty_set_is_read_as_zeros_with_finite_gradients() -> None:
    core = make_by_query("all")
    controls, items, places = random_sets(steps=4, size=3)
    items.mask[:, :2] = False
    snapshot = core.unroll(controls, items).snapshot
    found = core.lookup(snapshot, places.requires_grad_())
    assert (found[:, :2] == 0).all() and (found[0, 2] != 0).any()
    found.square().sum().backward()
    assert places.grad is not None and (places.grad[:, :2] == 0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in core.parameters())


def test_models_that_read_by_query_have_no_heads() -> None:
    core = make_by_query(3)
    assert core.context_size == 0 and not hasattr(core, "read_keys")
    assert not hasattr(make_window(), "attention")


# Pool -------------------------------------------------------------------------------------------


def test_a_pool_counts_the_stored_items() -> None:
    core = make_window(slots=3)
    for sets, total, count in [([], 0, 0), ([[1, 2], []], 3, 2), ([[1], [2], [3], [4]], 9, 3)]:
        found_total, found_count = core.pool(write_numbers(core, sets))
        assert found_total.tolist() == [[total] * 2] and found_count.tolist() == [[count]]


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_the_length_of_the_sequence() -> None:
    assert ContextWindow(SIZES).slots == SIZES.steps


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": 0}, "slots must be at least 1, got 0"),
        ({"read_heads": 0}, "read_heads must be at least 1, got 0"),
        ({"attention_heads": 0}, "attention_heads must be at least 1, got 0"),
        ({"slots": "all"}, "slots must be a number .*, got all"),
        ({"sizes": QUERY_SIZES, "slots": -1}, "slots must be at least 0, got -1"),
        (
            {"sizes": QUERY_SIZES, "attention": "cosine"},
            "attention must be one of .*, got 'cosine'",
        ),
        ({"sizes": QUERY_SIZES._replace(query=3)}, "as wide as keys \\(2\\), got 3"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContextWindow(**{"sizes": SIZES, **settings})


def test_means_of_long_sequences_are_exact_in_low_precision() -> None:
    """Means are differences of running sums, for which bfloat16 is too coarse."""
    torch.manual_seed(0)
    sizes = MemorySizes(control=4, key=1, value=4, steps=50, query=1)
    core = ContextWindow(sizes, slots=0, attention="uniform")
    values = (1 + torch.randn(1, 50, 60, 4)).bfloat16()
    items = Items(torch.zeros(1, 50, 60, 1).bfloat16(), values, torch.ones(1, 50, 60) > 0)
    snapshot = core.unroll(torch.zeros(1, 50, 4).bfloat16(), items).snapshot
    means = core.lookup(snapshot, torch.zeros(1, 50, 1, 1).bfloat16())
    assert means.dtype is torch.bfloat16
    assert (means[:, :, 0].float() - values.float().mean(2)).abs().max() < 2**-8


def test_a_mean_of_all_items_depends_only_on_their_sum_and_number() -> None:
    """These alone count as its state."""
    core = make_window(sizes=QUERY_SIZES, slots="all", attention="uniform")
    queries = torch.randn(1, 4, 2).double()
    found = [
        core.lookup(core.snapshot(write_numbers(core, sets), None), queries)
        for sets in ([[1.0, 2.0], [6.0]], [[3.0], [2.0, 4.0]], [[1.0, 2.0], [3.0]])
    ]
    torch.testing.assert_close(found[0], found[1])
    assert (found[0] - found[2]).abs().min() > 0.1
