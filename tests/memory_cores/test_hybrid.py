"""The hybrid core against a NumPy reference, each of its ways alone, and its start."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import Hybrid, Items, MemorySizes, TransformerCache
from memory_cores.hybrid import BY_CONTENT, BY_POSITION, ONWARD, first_ways
from memory_cores.parts.item_cache import ItemCacheState
from tests.memory_cores import hybrid_reference as reference
from tests.memory_cores.random_use import random_step, randomised
from tests.memory_cores.rmr_parameters import array

SIZES = MemorySizes(control=3, key=2, value=4, steps=7)
#: Raw modes that select a single way.
CONTENT, POSITION, FOLLOWING = torch.eye(3).double().mul(200)


@pytest.mark.parametrize("rewrites", [False, True])
@pytest.mark.parametrize(("slots", "heads"), [(1, 1), (5, 3), (60, 2)])
def test_fifty_steps_equal_the_reference(slots: int, heads: int, rewrites: bool) -> None:
    torch.manual_seed(0)
    settings = {"slots": slots, "read_heads": heads, "rewrites": rewrites, "key_size": 6}
    core = randomised(Hybrid(SIZES, **settings), 1.0)
    maps = tuple(map(array, core.interface.parameters()))
    rewriting = tuple(map(array, core.rewriting.parameters())) if rewrites else None
    parameters = reference.Parameters(heads, array(core.keys.weight), maps, rewriting)
    state: Any = core.initial_state(3, torch.zeros(1).double())
    memories: list[list[reference.Item]] = [[], [], []]
    for t in range(50):
        control, items = random_step(SIZES, 3, items=(1, 2, 3, 0)[t % 4])
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        for b in range(3):
            rows = tuple(part[b].numpy() for part in items)
            memory = reference.write(memories[b], slots, rows, parameters)
            expected, memory = reference.read(memory, slots, control[b].numpy(), 4, parameters)
            memories[b] = memory
            assert np.abs(reads[b].numpy() - expected).max() < 1e-9, f"reads at step {t}"
            for n, item in enumerate(reversed(memory)):
                assert np.abs(state.values[b, n].numpy() - item.value).max() < 1e-9
                assert np.abs(state.read_weights[b, :, n].numpy() - item.last).max() < 1e-9
            assert not state.read_weights[b, :, len(memory) :].any()


# Each way alone ---------------------------------------------------------------------------------


def one_way(mode: Tensor) -> Hybrid:
    """Build a core with one head that reads in one way, regardless of the control."""
    core = Hybrid(SIZES, read_heads=1, key_size=SIZES.key).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.zero_()
        core.keys.weight.copy_(torch.eye(SIZES.key))
        core.interface.bias[-3:] = mode
    return core


def write_numbers(core: Hybrid, numbers: list[float], state: Any = None) -> ItemCacheState:
    """Write items whose entries all equal a number, one per step; nothing for a 0."""
    control = torch.zeros(1, SIZES.control).double()
    state = core.initial_state(1, control) if state is None else state
    for number in numbers:
        entries = torch.full((1, 1, SIZES.value), number, dtype=torch.float64)
        items = Items(entries[:, :, : SIZES.key], entries, torch.tensor([[number != 0]]))
        state = core.write(state, control, items)
    return state


def number_read(core: Hybrid, state: ItemCacheState) -> tuple[float, ItemCacheState]:
    reads, state = core.read(state, torch.zeros(1, SIZES.control).double())
    assert torch.equal(reads, reads[:, :1].expand(-1, SIZES.value))
    return float(reads[0, 0].detach()), state


def test_position_selects_an_age_regardless_of_content() -> None:
    core = one_way(POSITION)
    with torch.no_grad():
        core.interface.bias[SIZES.key + SIZES.value + 2] = 100
    assert number_read(core, write_numbers(core, [1, 2, 3, 4, 5]))[0] == pytest.approx(3)
    assert number_read(core, write_numbers(core, [1, 2, 3, 0, 0]))[0] == pytest.approx(1)
    # An age beyond the oldest item gets no weight: the others share it.
    assert number_read(core, write_numbers(core, [1, 2]))[0] == pytest.approx(1.5)


def test_content_compares_keys_and_values() -> None:
    for part in (slice(SIZES.key), slice(SIZES.key, SIZES.key + SIZES.value)):
        core = one_way(CONTENT)
        with torch.no_grad():
            core.interface.bias[part] = 50
        assert number_read(core, write_numbers(core, [1, 4, 2]))[0] == pytest.approx(4)
        with torch.no_grad():
            core.interface.bias[part] = -50
        assert number_read(core, write_numbers(core, [1, 4, 2]))[0] == pytest.approx(1)


def test_the_successor_of_the_last_read_is_read_even_after_new_items() -> None:
    core = one_way(FOLLOWING)
    for between, expected in (([], [3, 4, 0]), ([5], [3, 4, 5]), ([0, 0, 5, 6], [3, 4, 5])):
        state = write_numbers(core, [1, 2, 3, 4])
        # The head last read item 2, two steps behind the newest.
        last = torch.zeros(1, 1, SIZES.steps).double()
        last[0, 0, 2] = 1
        state = write_numbers(core, [float(n) for n in between], state._replace(read_weights=last))
        for number in expected:
            found, state = number_read(core, state)
            assert found == pytest.approx(number)


def test_following_reads_nothing_before_the_first_read() -> None:
    core = one_way(FOLLOWING)
    found, state = number_read(core, write_numbers(core, [1, 2]))
    assert abs(found) < 1e-12 and state.read_weights.abs().max() < 1e-12


# Rewriting --------------------------------------------------------------------------------------


def test_rewriting_corrects_similar_values() -> None:
    core = Hybrid(SIZES, rewrites=True, read_heads=1, key_size=SIZES.key).double()
    key, value = SIZES.key, SIZES.value
    with torch.no_grad():
        core.rewriting.weight.zero_()
        core.rewriting.bias.zero_()  # the gate is half open
        core.rewriting.weight[key : key + value, key:] = 100 * torch.eye(value)
        core.rewriting.weight[key + value : -1, key:] = torch.eye(value)
    # The 2 moves the -1, the only value, halfway; then the -3 moves the result, the lower value.
    state = write_numbers(core, [-1, 2, -3])
    assert state.values[0, :3, 0].tolist() == [-3, 2, -1.25]
    assert write_numbers(core, [1], state).values[0, :4, 0].tolist() == [1, -3, 1.5, -1.25]
    assert write_numbers(core, [0], state).values[0, :3, 0].tolist() == [-3, 2, -1.25]


def test_initially_rewriting_is_weak_and_affects_similar_values() -> None:
    torch.manual_seed(0)
    core = Hybrid(MemorySizes(32, 32, 16, 10), rewrites=True)
    state = core.initial_state(1, torch.zeros(1))
    there = torch.ones(1, 1) > 0
    values = torch.randn(6, 1, 1, 16)
    for value in values:
        state = core.write(state, torch.zeros(1, 32), Items(torch.randn(1, 1, 32), value, there))
    before = state.values
    state = core.write(state, torch.zeros(1, 32), Items(torch.randn(1, 1, 32), values[3], there))
    moved = (state.values[0, 1:7] - before[0, :6]).abs().amax(1)
    assert moved.max() < 0.1
    with torch.no_grad():
        similar = values[3] + 1
        again = core.write(
            state, torch.zeros(1, 32), Items(torch.randn(1, 1, 32), similar, there)
        ).values[0, 1:7]
    moved = (again - state.values[0, :6]).abs().sum(1)
    assert set(moved.topk(2).indices.tolist()) == {0, 3}, "the two copies of the third value"


# The start --------------------------------------------------------------------------------------


def test_some_head_starts_with_each_way() -> None:
    assert first_ways(1) == [(0.0, 0.0, 0.0)]
    assert first_ways(2) == [ONWARD, BY_POSITION]
    assert first_ways(5) == [ONWARD, BY_CONTENT, BY_POSITION, BY_POSITION, BY_POSITION]


def test_heads_start_sharply_by_content_and_at_ages() -> None:
    torch.manual_seed(0)
    core = Hybrid(MemorySizes(control=64, key=64, value=8, steps=15))
    state, there = core.initial_state(4, torch.zeros(1)), torch.ones(4, 1) > 0
    keys = torch.randn(15, 4, 64) / 3
    for key in keys:
        state = core.write(state, keys[0], Items(key[:, None], torch.randn(4, 1, 8), there))
    weights = core.read(state, keys[5])[1].read_weights.mean(0)
    assert (weights[:2].argmax(1) == 9).all() and weights[1, 9] > 0.5
    for head, age in zip(weights[2:], (2, 7, 12), strict=True):
        assert (head.argmax() - age).abs() <= 1 and head.max() > 2 / 15
    assert weights[2:].amax(0).min() > 0.2 / 15, "every age has some weight"


# Look-ups ---------------------------------------------------------------------------------------


def test_look_ups_equal_those_of_a_cache_with_alibi() -> None:
    """Look-ups see single points, not means; the cache is tested against its own reference."""
    sizes = SIZES._replace(query=2)
    torch.manual_seed(0)
    hybrid = Hybrid(sizes, slots=3, attention_heads=2).double()
    cache = TransformerCache(sizes, slots=3, positions="alibi", attention_heads=2).double()
    cache.load_state_dict(hybrid.state_dict())
    steps = [random_step(SIZES, 2, items=2)[1] for _ in range(6)]
    items = Items(*(torch.stack(parts, 1) for parts in zip(*steps, strict=True)))
    queries, controls = torch.randn(2, 6, 5, 2).double(), torch.zeros(2, 6, 3).double()
    found = [
        core.lookup(core.unroll(controls, items).snapshot, queries) for core in (hybrid, cache)
    ]
    assert torch.equal(*found) and found[0].abs().min() > 0


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["slots", "read_heads", "key_size", "attention_heads"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Hybrid(SIZES, **{name: 0})


@pytest.mark.parametrize(
    ("query", "settings", "message"),
    [
        (0, {"slots": "all"}, "slots must be a number .*, got all"),
        (2, {"rewrites": True}, "rewrites must be false .* read by query, got True"),
        (3, {}, "as wide as keys \\(2\\), got 3"),
    ],
)
def test_settings_of_the_other_kind_of_model_are_rejected(
    query: int, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Hybrid(SIZES._replace(query=query), **settings)
