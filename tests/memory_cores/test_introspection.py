"""Introspection against a NumPy reference, and its queue, attention kinds, look-ups and pool."""

import numpy as np
import pytest
import torch

from memory_cores import Introspection, Items, MemorySizes
from memory_cores.introspection import PositionAttention, log_softplus
from tests.memory_cores.introspection_reference import Maps, step
from tests.memory_cores.random_use import random_step, randomised

SIZES = MemorySizes(control=3, key=2, value=4, steps=7)
KINDS = ["softplus", "softmax", "gaussian"]

every_kind = pytest.mark.parametrize("kind", KINDS)


def make_core(scale: float = 1.0, sizes: MemorySizes = SIZES, **settings) -> Introspection:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    return randomised(
        Introspection(sizes, **{"read_heads": 2, "hidden_size": 6, **settings}), scale
    )


def to_reference(core: Introspection) -> Maps:
    layers = core.attention.hidden, core.attention.output, core.gates
    return Maps(*(p.detach().numpy().copy() for linear in layers for p in linear.parameters()))


def write_numbers(core: Introspection, numbers: list[float]):
    """Write values of equal entries, one per step; nothing for a 0."""
    state = core.initial_state(1, torch.zeros(1, dtype=torch.float64))
    for number in numbers:
        value = torch.full((1, 1, SIZES.value), number, dtype=torch.float64)
        items = Items(value[:, :, : SIZES.key], value, torch.tensor([[number != 0]]))
        state = core.write(state, torch.zeros(1, SIZES.control).double(), items)
    return state


@every_kind
@pytest.mark.parametrize("scale", [0.3, 1.0, 8.0])
@pytest.mark.parametrize(("slots", "heads"), [(1, 1), (2, 3), (5, 1), (9, 3)])
def test_fifty_steps_equal_the_reference(kind: str, scale: float, slots: int, heads: int) -> None:
    core = make_core(scale, slots=slots, read_heads=heads, attention=kind)
    state, memories = core.initial_state(3, torch.zeros(1, dtype=torch.float64)), [[], [], []]
    maps = to_reference(core)
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 4)
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        inputs = (control.numpy(), items.values.numpy(), items.mask.numpy())
        expected, weights, memories = step(memories, slots, heads, kind, *inputs, maps)
        assert np.abs(reads.numpy() - expected).max() < 1e-9, f"reads at step {t}"
        assert np.abs(state.read_weights.numpy() - weights).max() < 1e-9, f"weights at step {t}"
        for row, memory in zip(state.memory.numpy(), memories, strict=True):
            filled = np.zeros_like(row)
            filled[: len(memory)] = np.array(memory).reshape(-1, SIZES.value)
            assert np.abs(row - filled).max() < 1e-9, f"memory at step {t}"


# The queue --------------------------------------------------------------------------------------


def test_the_newest_is_first_and_the_oldest_is_dropped() -> None:
    state = write_numbers(make_core(slots=3), [1, 2, 0, 3, 4])
    assert state.memory[0, :, 0].tolist() == [4, 3, 2]
    assert write_numbers(make_core(slots=3), [1, 0]).memory[0, :, 0].tolist() == [1, 0, 0]


def test_an_empty_set_shifts_nothing_for_its_sequence_alone() -> None:
    core = make_core()
    before = core.initial_state(2, torch.zeros(1).double())
    before = before._replace(memory=torch.randn_like(before.memory))
    control, items = random_step(SIZES, 2, items=3)
    items = items._replace(mask=torch.tensor([[False] * 3, [True, False, True]]))
    after = core.write(before, control, items)
    assert torch.equal(after.memory[0], before.memory[0])
    torch.testing.assert_close(after.memory[1, 0], items.values[1, [0, 2]].mean(0))
    assert torch.equal(after.memory[1, 1:], before.memory[1, :-1])


def test_weightings_follow_an_item_while_it_is_stored() -> None:
    core = make_core(slots=3, read_heads=2)
    by_age = torch.tensor([[[0.5, 0.25, 0.125], [0.0, 0.25, 0.75]]]).double()
    state = write_numbers(core, [1, 2])._replace(read_weights=by_age)
    read, write = core.weightings(state)
    assert write.tolist() == [[[0, 1, 0]]]
    assert read.tolist() == [[[0.25, 0.5, 0.125], [0.25, 0.0, 0.75]]]
    state = write_numbers(core, [1, 2, 3, 4, 0])._replace(read_weights=by_age)
    read, write = core.weightings(state)
    assert write.tolist() == [[[0, 0, 0]]], "the last step wrote nothing"
    assert read[0, 0].tolist() == [0.5, 0.125, 0.25], "the fourth item took the first one's slot"


# Attention --------------------------------------------------------------------------------------


def test_log_softplus_is_exact_where_softplus_underflows() -> None:
    x = torch.tensor([-2000.0, -2001.0]).requires_grad_()
    weights = torch.softmax(log_softplus(x), 0)
    torch.testing.assert_close(weights[0] / weights[1], torch.tensor(1.0).exp())
    weights[0].backward()
    assert x.grad.isfinite().all() and x.grad[0] > 0


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_saturated_attention_has_finite_gradients(kind: str, dtype: torch.dtype) -> None:
    core = make_core(300.0, slots=30, attention=kind).to(dtype)
    control, (keys, values, mask) = random_step(SIZES, 4, items=1)
    control, items = (
        control.to(dtype).requires_grad_(),
        Items(keys.to(dtype), values.to(dtype), mask),
    )
    state = core.write(core.initial_state(4, control), control, items)
    reads, state = core.read(state, control)
    reads.float().square().sum().backward()
    assert reads.isfinite().all() and control.grad.isfinite().all()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@every_kind
def test_gradients_reach_every_row_of_every_parameter(kind: str) -> None:
    core = make_core(0.5, attention=kind)
    state, total = core.initial_state(3, torch.zeros(1).double()), torch.zeros(()).double()
    for _ in range(6):
        control, items = random_step(SIZES, 3, items=2)
        state = core.write(state, control, items)
        reads, state = core.read(state, control)
        total = total + (reads * torch.randn_like(reads)).sum()
    total.backward()
    for name, parameter in core.named_parameters():
        rows = parameter.grad.reshape(len(parameter), -1)
        assert (rows != 0).any(1).all(), name


def test_gaussian_heads_start_at_different_ages() -> None:
    attention = PositionAttention(3, heads=3, hidden_size=8, positions=30, kind="gaussian")
    centres = attention(torch.zeros(1, 3)).argmax(-1)[0]
    assert (centres - torch.tensor([5, 14, 24])).abs().max() <= 4


def test_autocast_does_not_blur_narrow_bumps() -> None:
    torch.manual_seed(0)
    core = Introspection(SIZES._replace(steps=300), read_heads=2, attention="gaussian")
    control = torch.randn(50, SIZES.control)
    state = core.initial_state(50, control)
    with torch.no_grad():
        core.attention.output.bias.view(2, 2)[:, 1] = -4  # about one position wide
        expected = core.read(state, control)[1].read_weights
        with torch.autocast("cpu", torch.bfloat16):
            found = core.read(state, control)[1].read_weights
    assert found.dtype == torch.float32
    assert (found - expected).abs().sum(2).max() / 2 < 1e-5


# Look-ups and pool ------------------------------------------------------------------------------


def test_a_look_up_reads_an_age_and_ignores_unwritten_positions() -> None:
    core = make_core(sizes=SIZES._replace(query=2), lookup_attention="dot_product")
    state = write_numbers(core, [1, 2, 3])
    query = torch.randn(1, 1, 2).double()
    nothing = Items(query[:, :0], query.new_zeros(1, 0, 4), torch.zeros(1, 0) > 0)
    with torch.no_grad():
        key = 1000 * core.lookup_attention.encode(query)[0, 0]
        core.age_keys.zero_()[1] = key
        core.age_keys[5] = 2 * key
        values = core.lookup(core.snapshot(state, nothing), query)
    torch.testing.assert_close(values, torch.full((1, 1, 4), 2.0).double())


def test_a_pool_counts_the_stored_items() -> None:
    for numbers, total, count in [([], 0, 0), ([1, 0, 2], 3, 2), ([1, 2, 3, 4], 9, 3)]:
        core = make_core(slots=3)
        found_total, found_count = core.pool(write_numbers(core, numbers))
        assert found_total.tolist() == [[total] * 4] and found_count.tolist() == [[count]]


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_the_length_of_the_sequence() -> None:
    assert Introspection(SIZES).slots == SIZES.steps


@pytest.mark.parametrize("name", ["slots", "read_heads", "hidden_size"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Introspection(SIZES, **{name: 0})


def test_an_unknown_attention_is_named() -> None:
    with pytest.raises(ValueError, match="attention must be one of .*softplus.*, got 'linear'"):
        Introspection(SIZES, attention="linear")
