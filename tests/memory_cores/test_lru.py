"""LRU against a NumPy reference, and its choice of slots, start and pool."""

import numpy as np
import pytest
import torch

from memory_cores import LRU, Items, MemorySizes
from memory_cores.parts.addressing import least_used_slots
from tests.memory_cores.lru_reference import Maps, ReferenceState, step
from tests.memory_cores.random_use import empty, random_step, randomised, unroll

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)
OPEN, CLOSED = 60.0, -800.0  # raw gates: 1 to rounding, exactly 0


def make_lru(scale: float = 1.0, sizes: MemorySizes = SIZES, **settings: float) -> LRU:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    return randomised(
        LRU(sizes, **{"slots": 4, "word_size": 3, "read_heads": 2, **settings}), scale
    )


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(
    ("slots", "word_size", "heads", "decay"),
    [(1, 1, 1, 0.95), (1, 3, 2, 0.95), (2, 3, 3, 0.5), (6, 4, 1, 0.95), (20, 3, 3, 0.95)],
)
def test_fifty_steps_equal_the_reference(
    scale: float, slots: int, word_size: int, heads: int, decay: float
) -> None:
    shape = {"slots": slots, "word_size": word_size, "read_heads": heads}
    core = make_lru(scale, **shape, usage_decay=decay)
    layers = core.write_words, core.write_gates, core.read_interface
    maps = Maps(*(p.detach().numpy().copy() for layer in layers for p in layer.parameters()))
    state = empty(core, 3)
    reference = ReferenceState(*(field.numpy() for field in state))
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 4)
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        parts = tuple(part.numpy() for part in items)
        expected, reference = step(reference, control.numpy(), parts, maps, decay)
        for name, ours, theirs in zip(state._fields, state, reference, strict=True):
            assert np.abs(ours.numpy() - theirs).max() < 1e-9, f"{name} at step {t}"
        assert np.abs(reads.numpy() - expected).max() < 1e-9, f"reads at step {t}"


# Slots ------------------------------------------------------------------------------------------


def test_least_used_first_ties_to_the_lower_slot_and_few_slots_repeat() -> None:
    usage = torch.tensor([[0.3, 0.1, 0.2, 0.1], [0.0, 0.0, 1e-9, 5.0]])
    assert least_used_slots(usage, 3).argmax(2).tolist() == [[1, 3, 2], [0, 1, 2]]
    assert least_used_slots(usage, 6).argmax(2).tolist() == [[1, 3, 2, 0, 1, 3], [0, 1, 2, 3, 0, 1]]
    assert least_used_slots(usage.flip(1), 1).argmax(2).tolist() == [[0], [1]]
    assert (least_used_slots(usage, 6).sum(2) == 1).all()


def test_rounding_does_not_choose_between_slots_that_were_never_written() -> None:
    usage = torch.full((1, 9), 1 / 9, dtype=torch.float64)
    usage = usage + 1e-16 * torch.tensor([[5.0, 3, 1, 0, 0, 2, 4, 1, 0]])
    assert least_used_slots(usage, 3).argmax(2).tolist() == [[0, 1, 2]]


def test_writes_fill_one_new_slot_per_head_and_step() -> None:
    core = make_lru(slots=6, read_heads=2)
    with torch.no_grad():
        core.write_gates.weight.zero_(), core.write_gates.bias.fill_(CLOSED)
    found = [state.write_weights[0].argmax(1).tolist() for state in unroll(core, 3)]
    assert sorted(sum(found, [])) == list(range(6))


def test_open_gates_write_where_the_heads_last_read_but_erase_the_least_used() -> None:
    core = make_lru(slots=4, read_heads=2)
    with torch.no_grad():
        core.write_gates.weight.zero_(), core.write_gates.bias.fill_(OPEN)
    state = empty(core)._replace(
        memory=torch.ones(1, 4, 3).double(),
        usage=torch.tensor([[0.5, 0.0, 9.0, 0.1]]).double(),
        read_weights=torch.eye(4).double()[[2, 0]].unsqueeze(0),
    )
    control, items = random_step(SIZES, 1, items=1)
    new = core.write(state, control, items._replace(mask=torch.ones_like(items.mask)))
    torch.testing.assert_close(new.write_weights, state.read_weights)
    assert new.memory[0, [1, 3]].abs().max() < 1e-12, "slots 1 and 3 were least used"
    words = core.write_words(torch.cat([control, items.keys[:, 0], items.values[:, 0]], 1))
    torch.testing.assert_close(new.memory[0, [2, 0]], 1 + words.view(2, 3))


@pytest.mark.parametrize("count", [0, 3])
def test_no_item_leaves_memory_bit_for_bit_while_usage_decays(count: int) -> None:
    core = make_lru(4.0)
    state = unroll(core, 5, batch=2)[-1]
    control, items = random_step(SIZES, 2, items=count)
    new = core.write(state, control, items._replace(mask=torch.zeros_like(items.mask)))
    assert torch.equal(new.memory, state.memory) and torch.equal(new.written, state.written)
    assert (new.write_weights == 0).all()
    last = state.read_weights.sum(1) + state.write_weights.sum(1)
    torch.testing.assert_close(new.usage, 0.95 * state.usage + last)


def test_usage_passes_no_gradient() -> None:
    core = make_lru()
    state = unroll(core, 3)[-1]
    assert state.memory.requires_grad and not state.usage.requires_grad


# Start ------------------------------------------------------------------------------------------


def test_a_new_core_reads_an_item_by_a_control_like_its_key() -> None:
    torch.manual_seed(0)
    core = LRU(MemorySizes(control=32, key=32, value=8, steps=12))
    keys, values = torch.randn(2, 12, 32).tanh() / 2, torch.randn(2, 12, 8)
    state = core.initial_state(2, keys)
    for t in range(12):
        item = Items(keys[:, t : t + 1], values[:, t : t + 1], torch.ones(2, 1, dtype=torch.bool))
        state = core.write(state, torch.zeros(2, 32), item)
    for t in range(12):
        written_at = torch.arange(60) // 5 == t
        _, read = core.read(state, keys[:, t])
        assert (read.read_weights[:, :, written_at].sum(2) > 0.3).all()


def test_memory_starts_at_a_small_constant_and_follows_dtype() -> None:
    state = make_lru().initial_state(2, torch.zeros(1, dtype=torch.bfloat16))
    assert all(field.dtype == torch.bfloat16 for field in state)
    assert (state.memory == torch.tensor(1e-6, dtype=torch.bfloat16)).all()
    assert all((field == 0).all() for field in state[1:])


# Pool ---------------------------------------------------------------------------------------------


def test_a_pool_counts_what_was_written_and_starts_empty() -> None:
    core = make_lru(sizes=SIZES._replace(query=2), slots=8)
    assert not any(part.any() for part in core.pool(empty(core)))
    with torch.no_grad():
        core.write_gates.weight.zero_(), core.write_gates.bias.fill_(CLOSED)
    state = unroll(core, 3, batch=2)[-1]
    total, count = core.pool(state)
    assert count.tolist() == [[3], [3]], "a single head writes"
    expected = (core.value_of_word(state.memory) * (state.written > 0.5).unsqueeze(2)).sum(1)
    torch.testing.assert_close(total, expected)


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_one_per_write_head_and_step() -> None:
    assert LRU(SIZES).slots == 5 * SIZES.steps
    assert LRU(SIZES._replace(query=2)).slots == SIZES.steps


@pytest.mark.parametrize("name", ["slots", "word_size", "read_heads"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        LRU(SIZES, **{name: 0})


def test_a_decay_above_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"usage_decay must be in \[0, 1\], got 1.5"):
        LRU(SIZES, usage_decay=1.5)
