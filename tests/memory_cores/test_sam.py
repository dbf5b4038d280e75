"""SAM against a NumPy reference with whole slots, in the journal and in the base."""

import numpy as np
import pytest
import torch
from torch import Tensor

from memory_cores import SAM, Items, MemorySizes
from memory_cores.parts.journal import NEVER
from memory_cores.sam import SAMState
from tests.memory_cores.random_use import empty, random_step, randomised
from tests.memory_cores.sam_reference import Maps, read, start, write

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)
CLOSED = -800.0  # a raw gate: exactly 0


def make_sam(scale: float = 1.0, steps: int = 7, **settings: int) -> SAM:
    """Build a float64 core with normal parameters of deviation ``scale``."""
    torch.manual_seed(0)
    options = {"slots": 4, "word_size": 3, "read_heads": 2, **settings}
    return randomised(SAM(SIZES._replace(steps=steps), **options), scale)


def maps_of(core: SAM) -> Maps:
    layers = core.write_word, core.write_gates, core.read_interface
    return Maps(*(p.detach().numpy().copy() for layer in layers for p in layer.parameters()))


def items_of(items: Items, b: int) -> np.ndarray | None:
    """Return the mean of a sequence's real items."""
    keys, values, mask = (part[b].numpy() for part in items)
    return np.concatenate([keys, values], 1)[mask].mean(0) if mask.any() else None


def assert_equals_the_reference(core: SAM, steps: int, batch: int = 2) -> SAMState:
    """Compare reads, and weights and ages if all slots have places; return the last state."""
    state, maps = empty(core, batch), maps_of(core)
    references = [start(core.slots, core.word_size, core.read_heads) for _ in range(batch)]
    for t in range(steps):
        control, items = random_step(SIZES, batch, items=t % 4)
        with torch.no_grad():
            reads, state, _ = core.write_and_read(state, control, items)
        weights = core.weightings(state)
        for b in range(batch):
            inputs = control[b].numpy()
            references[b] = write(references[b], inputs, items_of(items, b), maps)
            words, references[b] = read(references[b], inputs, maps, core.nearest)
            assert np.abs(reads[b].numpy() - words).max() < 1e-9, f"reads at step {t}"
            if state.rows.shape[1] == core.slots:
                theirs = references[b]
                assert np.abs(state.rows[b].numpy() - theirs.memory).max() < 1e-9, f"step {t}"
                assert np.abs(weights.read[b].numpy() - theirs.read_weights).max() < 1e-9
                assert np.abs(weights.write[b, 0].numpy() - theirs.write_weights).max() < 1e-9
                ages = [NEVER if last is None else t + 1 - last for last in theirs.last]
                assert state.age[b].tolist() == ages, f"step {t}"
    return state


@pytest.mark.parametrize(
    ("scale", "slots", "word_size", "heads", "nearest"),
    [
        (1.0, 1, 2, 1, 8),
        (4.0, 2, 3, 2, 8),
        (0.3, 6, 4, 1, 1),
        (1.0, 6, 4, 2, 8),
        (0.3, 20, 3, 3, 8),
        (4.0, 20, 3, 3, 4),
    ],
)
def test_fifty_steps_equal_the_reference(
    scale: float, slots: int, word_size: int, heads: int, nearest: int
) -> None:
    shape = {"slots": slots, "word_size": word_size, "read_heads": heads, "nearest": nearest}
    assert_equals_the_reference(make_sam(scale, steps=60, **shape), 50)


# Memories that are longer than the journal -------------------------------------------------------


@pytest.mark.parametrize(("heads", "nearest"), [(1, 1), (2, 3), (3, 8)])
def test_settled_rows_are_read_and_written_as_before(heads: int, nearest: int) -> None:
    """The journal has room for one or two steps, so that rows settle in nearly every step."""
    core = make_sam(steps=1, slots=60, read_heads=heads, nearest=nearest)
    state = assert_equals_the_reference(core, 50)
    # Three of four sets may have items, and a step fills one slot.
    assert 20 < state.base.shape[1] < 50 and state.rows.shape[1] <= core.journal_places


@pytest.mark.parametrize("steps", [1, 3])
def test_settled_rows_are_overwritten_in_the_order_of_their_last_access(steps: int) -> None:
    """Each step either writes or reads one slot, so that no two are equally old."""
    long, whole = (make_sam(steps=s, slots=12, read_heads=1, nearest=1) for s in (steps, 60))
    for core in (long, whole):
        with torch.no_grad():
            core.write_gates.weight[1] = 0
            core.write_gates.bias[1] = CLOSED  # else the row read last would be as old
            core.write_gates.bias[0] = 5.0
    assert long._grows and not whole._grows
    cores = long, whole
    states = [empty(core, 3) for core in cores]
    for t in range(80):
        control, items = random_step(SIZES, 3, items=1)
        reads = t % 3 == 2
        written = items._replace(mask=torch.full_like(items.mask, not reads))
        with torch.no_grad():
            states = [
                c.write(state, control, written) for c, state in zip(cores, states, strict=True)
            ]
            if reads:
                found, states = zip(
                    *(c.read(s, control) for c, s in zip(cores, states, strict=True)), strict=True
                )
                torch.testing.assert_close(*found, rtol=0, atol=1e-9)
    assert states[0].base.shape[1] == 12


def full_state(core: SAM, batch: int, generator: torch.Generator) -> SAMState:
    """Return a state whose base has random rows in all slots."""
    like = torch.zeros(1)
    state = core.initial_state(batch, like)
    base = torch.randn(batch, core.slots, core.word_size, generator=generator)
    origin = torch.full_like(state.age, core.slots)
    return state._replace(base=base, base_norms=1 / base.norm(dim=2), origin=origin)


def test_a_step_shares_the_base_and_finds_the_exact_nearest_rows() -> None:
    torch.manual_seed(0)
    core = SAM(SIZES._replace(steps=5), slots=3_000, word_size=8, read_heads=2)
    state = full_state(core, 2, torch.Generator().manual_seed(1))
    control, items = torch.randn(2, 3), Items(*torch.randn(2, 2, 1, 2), torch.ones(2, 1).bool())
    with torch.no_grad():
        new = core.write(state, control, items)
        _, after = core.read(new, control)
    assert new.base is state.base and after.base is state.base
    assert new.rows.shape[1] == core.nearest + 2 * core.nearest + 1
    rows = torch.cat([new.rows, state.base], 1)
    keys = core.read_interface(control)[:, :16].view(2, 2, 8)
    similarity = torch.cosine_similarity(keys.unsqueeze(2), rows.unsqueeze(1), dim=3)
    similarity[:, :, : new.rows.shape[1] - 1] = -2  # empty except for the last word written
    similarity[:, :, new.rows.shape[1]] = -2  # the oldest row, replaced by it
    torch.testing.assert_close(after.places, similarity.topk(core.nearest, 2).indices)


def test_gradients_reach_all_steps_of_a_sequence_but_not_the_base() -> None:
    torch.manual_seed(0)
    T = 5
    core = SAM(SIZES._replace(steps=T), slots=500, word_size=8, read_heads=1)
    state = full_state(core, 1, torch.Generator().manual_seed(1))
    values = torch.randn(T, 1, 1, 2, requires_grad=True)
    for t in range(T):
        item = Items(torch.randn(1, 1, 2), values[t], torch.ones(1, 1, dtype=torch.bool))
        reads, state, _ = core.write_and_read(state, torch.randn(1, 3), item)
    assert state.base.shape[1] == 500 and not state.base.requires_grad
    state.rows.square().sum().backward()
    assert values.grad is not None and values.grad.abs().amax((1, 2, 3)).gt(0).all()


def bytes_saved(core: SAM, state: SAMState, batch: int) -> int:
    """Count bytes that five steps save for the backward pass, without the initial state's."""
    initial = {part.untyped_storage().data_ptr() for part in state}
    saved = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in initial:
            saved[storage.data_ptr()] = storage  # keep it, so that its address is not reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = []
        for _ in range(5):
            item = Items(*torch.randn(2, batch, 1, 2), torch.ones(batch, 1, dtype=torch.bool))
            reads, state, _ = core.write_and_read(state, torch.randn(batch, 3), item)
            outputs.append(reads)
        torch.stack(outputs).sum().backward()
    return sum(storage.nbytes() for storage in saved.values())


def test_memory_of_the_backward_pass_does_not_grow_with_the_slots() -> None:
    sizes = []
    for slots in (1_000, 10_000):
        torch.manual_seed(0)
        core = SAM(SIZES._replace(steps=5), slots=slots, word_size=8, read_heads=2)
        state = full_state(core, 2, torch.Generator().manual_seed(1))
        sizes.append(bytes_saved(core, state, 2))
    assert sizes[0] == sizes[1] > 0


def test_weightings_of_a_long_memory_are_over_places_and_the_whole_base() -> None:
    torch.manual_seed(0)
    core = SAM(SIZES._replace(steps=5), slots=3_000, word_size=8, read_heads=2)
    nothing = Items(*torch.zeros(2, 2, 0, 2), torch.zeros(2, 0, dtype=torch.bool))
    for state, of_base in (
        (full_state(core, 2, torch.Generator().manual_seed(1)), 1.0),
        (core.initial_state(2, torch.zeros(1)), 0.0),
    ):
        with torch.no_grad():
            _, after, _ = core.write_and_read(state, torch.randn(2, 3), nothing)
        weights = core.weightings(after)
        assert weights.read.shape == (2, 2, core.journal_places + 1)
        assert weights.write.shape == (2, 1, core.journal_places + 1)
        torch.testing.assert_close(weights.read[..., -1], torch.full((2, 2), of_base))


# Start and settings ------------------------------------------------------------------------------


def test_a_new_core_reads_an_item_by_a_control_like_its_key() -> None:
    torch.manual_seed(0)
    core = SAM(MemorySizes(control=32, key=32, value=8, steps=12))
    keys, values = torch.randn(2, 12, 32).tanh() / 2, torch.randn(2, 12, 8)
    state = core.initial_state(2, keys)
    for t in range(12):
        item = Items(keys[:, t : t + 1], values[:, t : t + 1], torch.ones(2, 1, dtype=torch.bool))
        state = core.write(state, torch.zeros(2, 32), item)
    for t in range(12):
        _, after = core.read(state, keys[:, t])
        assert (core.weightings(after).read[:, :, t] > 0.3).all()


@pytest.mark.parametrize("name", ["slots", "word_size", "read_heads", "nearest"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        SAM(SIZES, **{name: 0})


@pytest.mark.parametrize(("slots", "nearest"), [(1, 1), (2, 2), (5, 2), (15, 5), (25, 8), (900, 8)])
def test_a_head_reads_a_third_of_the_slots_at_most(slots: int, nearest: int) -> None:
    assert SAM(SIZES, slots=slots).nearest == nearest


def test_models_that_read_by_query_have_at_most_one_slot_per_step() -> None:
    core = SAM(SIZES._replace(query=2), slots=100_000)
    assert core.initial_state(2, torch.zeros(1)).rows.shape == (2, SIZES.steps, 64)
    assert core.state_size == SIZES.steps * (64 + 1), "rows and ages"
