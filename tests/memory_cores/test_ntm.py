"""The NTM against a NumPy reference, and its moves, sharpening, start and pool."""

import numpy as np
import pytest
import torch

from memory_cores import NTM, Items, MemorySizes
from memory_cores.parts.addressing import sharpened, shifted
from tests.memory_cores.ntm_reference import Maps, ReferenceState, step
from tests.memory_cores.random_use import empty, random_step, randomised, unroll

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)


def make_ntm(scale: float = 1.0, sizes: MemorySizes = SIZES, **settings: int) -> NTM:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    return randomised(
        NTM(sizes, **{"slots": 4, "word_size": 3, "read_heads": 2, **settings}), scale
    )


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(
    ("slots", "word_size", "read_heads", "write_heads"),
    [(1, 1, 1, 1), (1, 3, 2, 2), (2, 3, 1, 2), (3, 4, 2, 1), (7, 3, 3, 3)],
)
def test_fifty_steps_equal_the_reference(
    scale: float, slots: int, word_size: int, read_heads: int, write_heads: int
) -> None:
    heads = {"read_heads": read_heads, "write_heads": write_heads}
    core = make_ntm(scale, slots=slots, word_size=word_size, **heads)
    layers = core.write_vectors, core.write_addressing, core.read_addressing
    maps = Maps(*(p.detach().numpy().copy() for layer in layers for p in layer.parameters()))
    state = empty(core, 3)
    reference = ReferenceState(*(getattr(state, name).numpy() for name in ReferenceState._fields))
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 4)
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
        expected, reference = step(
            reference, control.numpy(), tuple(x.numpy() for x in items), maps
        )
        for name, theirs in reference._asdict().items():
            ours = getattr(state, name).numpy()
            assert np.abs(ours - theirs).max() < 1e-9, f"{name} at step {t}"
        norms = 1 / np.sqrt((reference.memory**2).sum(2) + 1e-6)
        assert np.abs(state.norms.numpy() / norms - 1).max() < 1e-9, f"norms at step {t}"
        assert np.abs(reads.numpy() - expected).max() < 1e-9, f"reads at step {t}"


# Location ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1.0], [1.0]),
        ([1.0, 0.0], [0.25, 0.75]),
        ([1.0, 0.0, 0.0], [0.25, 0.125, 0.625]),
        ([0.0, 0.0, 0.0, 1.0], [0.125, 0.0, 0.625, 0.25]),
    ],
)
def test_shifts_are_circular(weights: list[float], expected: list[float]) -> None:
    shifts = torch.tensor([[[0.625, 0.25, 0.125]]])
    assert shifted(torch.tensor([[weights]]), shifts).tolist() == [[expected]]


def test_sharpening_is_the_identity_at_one_and_picks_the_largest_far_above() -> None:
    weights = torch.tensor([[[0.5, 0.25, 0.25, 0.0]] * 3])
    found = sharpened(weights, torch.tensor([[1.0, 2.0, 1e4]]))
    expected = [[0.5, 0.25, 0.25, 0], [4 / 6, 1 / 6, 1 / 6, 0], [1, 0, 0, 0]]
    torch.testing.assert_close(found, torch.tensor([expected]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("power", [1.0, 1.0001, 3.0, 1e3, 1e30])
@pytest.mark.parametrize(
    "row", [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [1e-38, 0.1, 0.9], [1 / 3] * 3], ids=str
)
def test_sharpening_has_finite_gradients(
    row: list[float], power: float, dtype: torch.dtype
) -> None:
    weights = torch.tensor([[row]], dtype=dtype, requires_grad=True)
    sharpness = torch.tensor([[power]], dtype=dtype, requires_grad=True)
    found = sharpened(weights, sharpness)
    (found * torch.tensor([1.0, -2.0, 3.0], dtype=dtype)).sum().backward()
    for tensor in (found, weights.grad, sharpness.grad):
        assert tensor.isfinite().all()


def test_sharpening_passes_gradcheck() -> None:
    weights = torch.tensor([[[0.1, 0.4, 0.5], [0.3, 0.3, 0.4]]]).double().requires_grad_()
    sharpness = torch.tensor([[1.5, 4.0]]).double().requires_grad_()
    assert torch.autograd.gradcheck(sharpened, (weights, sharpness))


# Writing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 3])
def test_no_item_leaves_memory_and_heads_bit_for_bit(count: int) -> None:
    core = make_ntm(4.0, write_heads=2)
    state = unroll(core, 5, batch=2)[-1]
    control, items = random_step(SIZES, 2, items=count)
    new = core.write(state, control, items._replace(mask=torch.zeros_like(items.mask)))
    for name in ("memory", "norms", "written", "write_focus", "read_weights"):
        assert torch.equal(getattr(new, name), getattr(state, name)), name
    assert (new.write_weights == 0).all()


def test_all_heads_start_on_slot_0_of_a_small_constant_memory() -> None:
    state = make_ntm(write_heads=2).initial_state(2, torch.zeros(1, dtype=torch.bfloat16))
    assert all(field.dtype == torch.bfloat16 for field in state)
    assert (state.memory == torch.tensor(1e-6, dtype=torch.bfloat16)).all()
    for focus in (state.write_focus, state.read_weights):
        assert (focus[:, :, 0] == 1).all() and (focus[:, :, 1:] == 0).all()
    assert (state.write_weights == 0).all() and (state.written == 0).all()


# Start ------------------------------------------------------------------------------------------


def test_a_new_core_writes_in_turn_and_reads_an_item_by_a_control_like_its_key() -> None:
    torch.manual_seed(0)
    core = NTM(MemorySizes(control=32, key=32, value=8, steps=12))
    keys, values = torch.randn(2, 12, 32).tanh() / 2, torch.randn(2, 12, 8)
    state = core.initial_state(2, keys)
    for t in range(12):
        item = Items(keys[:, t : t + 1], values[:, t : t + 1], torch.ones(2, 1, dtype=torch.bool))
        state = core.write(state, torch.zeros(2, 32), item)
        assert (state.write_weights[:, 0, (t + 1) % 12] > 0.9).all()
    for t in range(12):
        _, read = core.read(state, keys[:, t])
        assert (read.read_weights[:, :, (t + 1) % 12] > 0.5).all()


# Pool ---------------------------------------------------------------------------------------------


def test_a_pool_counts_what_was_written_and_starts_empty() -> None:
    torch.manual_seed(0)
    core = NTM(SIZES._replace(query=2)).double()
    assert not any(part.any() for part in core.pool(empty(core)))
    state = unroll(core, 3, batch=2)[-1]
    total, count = core.pool(state)
    torch.testing.assert_close(count, torch.full((2, 1), 3.0).double(), rtol=0, atol=0.2)
    expected = (core.value_of_word(state.memory) * state.written.unsqueeze(2)).sum(1)
    torch.testing.assert_close(total, expected)


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_the_length_of_the_sequence() -> None:
    assert NTM(SIZES).slots == SIZES.steps


@pytest.mark.parametrize("name", ["slots", "word_size", "read_heads", "write_heads"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        NTM(SIZES, **{name: 0})
