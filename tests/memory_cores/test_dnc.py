"""The DNC against a NumPy reference, its gradients and its behaviour under planted interfaces."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from memory_cores import DNC, Items, MemorySizes
from memory_cores.dnc import DNCState
from tests.memory_cores.dnc_reference import Array, Linear, ReferenceItems, ReferenceState, step
from tests.memory_cores.random_use import random_step

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)
SMALL = {"slots": 3, "word_size": 2, "read_heads": 1, "write_heads": 1}


def make_dnc(seed: int = 0, scale: float = 1.0, **settings: int) -> DNC:
    """Build a float64 DNC with normal parameters of deviation ``scale``."""
    torch.manual_seed(seed)
    dnc = DNC(SIZES, **{**SMALL, **settings}).double()
    for parameter in dnc.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return dnc


def random_state(dnc: DNC, batch: int) -> DNCState:
    """Draw a state as after many steps: distinct usages, weightings that sum to less than 1."""
    empty = dnc.initial_state(batch, torch.zeros(1, dtype=torch.float64))
    fields = {name: torch.rand_like(field) for name, field in empty._asdict().items()}
    for name in ("precedence", "write_weights", "read_weights"):
        fields[name] = 0.9 * fields[name] / fields[name].sum(-1, keepdim=True)
    fields["memory"] = torch.randn_like(empty.memory)
    link = fields["link"] * (1 - torch.eye(dnc.slots, dtype=torch.float64))
    fields["link"] = link / max(dnc.slots - 1, 1)
    return DNCState(**fields)


def to_reference(dnc: DNC) -> tuple[Linear, Linear]:
    write, read = dnc.write_interface, dnc.read_interface
    maps = [
        Linear(linear.weight.detach().numpy().copy(), linear.bias.detach().numpy().copy())
        for linear in (write, read)
    ]
    return maps[0], maps[1]


def to_numpy(state: DNCState) -> ReferenceState:
    return ReferenceState(*(field.detach().numpy() for field in state))


class Case(NamedTuple):
    slots: int
    word_size: int
    read_heads: int
    write_heads: int
    scale: float = 1.0
    from_zero: bool = False


# From zero only with few slots: with many, usages that differ by rounding decide the order of the
# free list.
CASES = [
    Case(1, 1, 1, 1),
    Case(1, 3, 2, 2, from_zero=True),
    Case(2, 3, 1, 1, from_zero=True),
    Case(3, 4, 2, 1, scale=0.3, from_zero=True),
    Case(5, 3, 1, 1, scale=8.0),
    Case(6, 4, 3, 2),
    Case(4, 3, 2, 3, scale=0.3),
    Case(5, 2, 2, 3, scale=4.0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fifty_steps_equal_the_reference(case: Case) -> None:
    heads = {"read_heads": case.read_heads, "write_heads": case.write_heads}
    dnc = make_dnc(scale=case.scale, slots=case.slots, word_size=case.word_size, **heads)
    like = torch.zeros(1, dtype=torch.float64)
    state = dnc.initial_state(3, like) if case.from_zero else random_state(dnc, 3)
    reference, maps = to_numpy(state), to_reference(dnc)
    for t in range(50):
        control, items = random_step(SIZES, 3, items=t % 4)
        with torch.no_grad():
            state = dnc.write(state, control, items)
            reads, state = dnc.read(state, control)
        parts = ReferenceItems(*(part.numpy() for part in items))
        expected, reference = step(reference, control.numpy(), parts, *maps)
        for name, ours, theirs in zip(state._fields, to_numpy(state), reference, strict=True):
            assert np.abs(ours - theirs).max() < 1e-9, f"{name} at step {t}"
        assert np.abs(reads.numpy() - expected).max() < 1e-9, f"reads at step {t}"


def test_interfaces_saturate_in_the_widest_case() -> None:
    """The comparison above includes gates close to 0 and 1."""
    dnc = make_dnc(scale=8.0)
    control, items = random_step(SIZES, 64, items=3)
    item, present = items.pooled()
    raw = dnc.write_interface(torch.cat([control, item], 1))
    gates = dnc._write_interface(raw, present).allocation_gates
    assert gates.min() < 1e-4 and gates.max() > 1 - 1e-4


def test_state_starts_at_zero_and_follows_dtype() -> None:
    state = make_dnc().initial_state(2, torch.zeros(1, dtype=torch.bfloat16))
    assert all((field == 0).all() and field.dtype == torch.bfloat16 for field in state)


# Gradients --------------------------------------------------------------------------------------


def test_usage_passes_no_gradient_to_write_weights() -> None:
    dnc = make_dnc(write_heads=2, read_heads=2)
    control, items = random_step(SIZES, 2, items=2)
    state = random_state(dnc, 2)
    for field in state:
        field.requires_grad_()
    usage = dnc.write(state, control, items).usage
    gradients = torch.autograd.grad(usage.sum(), list(state), allow_unused=True)
    by_name = dict(zip(state._fields, gradients, strict=True))
    assert by_name["write_weights"] is None or (by_name["write_weights"] == 0).all()
    assert (by_name["usage"] > 0).all() and (by_name["read_weights"] < 0).all()
    moved = state._replace(write_weights=state.write_weights + 0.05)
    assert (dnc.write(moved, control, items).usage > usage).all(), "usage itself does depend"


def differences(
    leaves: list[Tensor], loss: Callable[[], float], nudge: float = 1e-5
) -> list[Tensor]:
    """Compute finite differences of a loss for all entries of the leaves."""
    numeric = [torch.zeros_like(leaf) for leaf in leaves]
    for leaf, result in zip(leaves, numeric, strict=True):
        flat = leaf.detach().view(-1)
        for i in range(len(flat)):
            value = flat[i].item()
            flat[i] = value + nudge
            above = loss()
            flat[i] = value - nudge
            below = loss()
            flat[i] = value
            result.view(-1)[i] = (above - below) / (2 * nudge)
    return numeric


@pytest.mark.parametrize("heads", [(1, 1), (2, 2)], ids=str)
def test_gradients_of_three_steps_equal_finite_differences_of_the_reference(
    heads: tuple[int, int],
) -> None:
    """The reference keeps the writes in the usage fixed, as the stop-gradient does."""
    steps = 3
    dnc = make_dnc(seed=1, read_heads=heads[0], write_heads=heads[1])
    state = first = random_state(dnc, 1)
    inputs = [random_step(SIZES, 1, items=2) for _ in range(steps)]
    inputs = [(c, items._replace(mask=torch.tensor([[True, False]]))) for c, items in inputs]
    leaves: list[Tensor] = [*dnc.parameters()]
    for control, items in inputs:
        leaves += [control.requires_grad_(), items.keys.requires_grad_()]
    used_writes, outputs = [], []
    for control, items in inputs:
        used_writes.append(state.write_weights.detach().numpy().copy())
        state = dnc.write(state, control, items)
        reads, state = dnc.read(state, control)
        outputs.append(reads)
    projections = [torch.randn_like(x) for x in (*outputs, *state)]
    parts = zip((*outputs, *state), projections, strict=True)
    loss = torch.stack([(x * p).sum() for x, p in parts]).sum()
    analytic = torch.autograd.grad(loss, leaves)

    def reference_loss(used: list[Array] | None) -> float:
        maps, reference, outputs = to_reference(dnc), to_numpy(first), []
        for t, (control, items) in enumerate(inputs):
            parts = ReferenceItems(*(part.detach().numpy() for part in items))
            fixed = None if used is None else used[t]
            reads, reference = step(reference, control.detach().numpy(), parts, *maps, fixed)
            outputs.append(reads)
        pairs = zip((*outputs, *reference), projections, strict=True)
        return float(sum((x * p.numpy()).sum() for x, p in pairs))

    assert abs(reference_loss(used_writes) - loss.item()) < 1e-9
    numeric = differences(leaves, lambda: reference_loss(used_writes))
    for ours, theirs in zip(analytic, numeric, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    if heads == (1, 1):
        through_usage = differences(leaves, lambda: reference_loss(None))
        gap = max((a - b).abs().max().item() for a, b in zip(analytic, through_usage, strict=True))
        assert gap > 1e-3, "the stop-gradient makes no difference here, so nothing was tested"


def test_one_step_passes_gradcheck_for_parameters_inputs_and_state() -> None:
    dnc = make_dnc(seed=2, read_heads=2, write_heads=2)
    names = [name for name, _ in dnc.named_parameters()]
    state = random_state(dnc, 1)
    control, items = random_step(SIZES, 1, items=2)
    mask = torch.tensor([[True, True]])

    class OneStep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dnc = dnc

        def forward(
            self, control: Tensor, keys: Tensor, values: Tensor, *fields: Tensor
        ) -> tuple[Tensor, ...]:
            memory, usage, precedence, link, read_weights = fields
            last = DNCState(memory, usage, precedence, link, state.write_weights, read_weights)
            written = self.dnc.write(last, control, Items(keys, values, mask))
            reads, new = self.dnc.read(written, control)
            return (reads, new.memory, new.usage, new.precedence, new.link)

    module = OneStep()

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        parameters = {f"dnc.{name}": t for name, t in zip(names, tensors, strict=False)}
        return functional_call(module, parameters, tensors[len(names) :])

    fields = [field for name, field in state._asdict().items() if name != "write_weights"]
    leaves = [*dnc.parameters(), control, items.keys, items.values, *fields]
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(run, leaves, fast_mode=False, atol=1e-7)


def test_every_interface_number_gets_a_gradient() -> None:
    """Every output of the two linear maps is used."""
    dnc = make_dnc(scale=0.5, slots=4, read_heads=2, write_heads=2)
    state = dnc.initial_state(2, torch.zeros(1, dtype=torch.float64))
    total = torch.zeros((), dtype=torch.float64)
    for _ in range(5):
        control, items = random_step(SIZES, 2, items=6)
        state = dnc.write(state, control, items)
        reads, state = dnc.read(state, control)
        total = total + (reads * torch.randn_like(reads)).sum()
    total.backward()
    for linear in (dnc.write_interface, dnc.read_interface):
        assert linear.bias.grad is not None and (linear.bias.grad != 0).all()


# Planted interfaces -----------------------------------------------------------------------------


def plant(dnc: DNC, write: dict[str, float], read: dict[str, float]) -> None:
    """Make the interface independent of the inputs: 0 except for the named parts."""
    W, R, H = dnc.word_size, dnc.read_heads, dnc.write_heads
    widths = {"keys": H * W, "vectors": H * W, "erase": H * W, "strengths": H}
    widths |= {"allocation": H, "write": H, "free": R}
    modes = torch.tensor([read.get(m, 0.0) for m in ["backward"] * H + ["forward"] * H])
    modes = torch.cat([modes, torch.tensor([read.get("content", 0.0)])]).repeat(R)
    for parameter in dnc.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        parts = [torch.full((width,), write.get(name, 0.0)) for name, width in widths.items()]
        dnc.write_interface.bias.copy_(torch.cat(parts))
        dnc.read_interface.bias[-len(modes) :] = modes


def some_items(batch: int = 1) -> Items:
    control, items = random_step(SIZES, batch, items=1)
    return items._replace(mask=torch.ones(batch, 1, dtype=torch.bool))


OPEN, CLOSED = 60.0, -800.0  # raw gates: 1 to rounding, exactly 0


def fill(dnc: DNC, steps: int) -> tuple[DNCState, list[int]]:
    """Write ones to a free slot in each step; return the state and the slots in order."""
    plant(dnc, {"allocation": OPEN, "write": OPEN, "vectors": 1.0, "free": CLOSED}, {})
    state, order = dnc.initial_state(1, torch.zeros(1, dtype=torch.float64)), []
    for _ in range(steps):
        state = dnc.write(state, torch.zeros(1, SIZES.control).double(), some_items())
        order.append(int(state.write_weights[0, 0].argmax()))
    return state, order


def test_allocating_writes_fill_a_new_slot_each() -> None:
    for steps in range(1, 5):
        state, order = fill(make_dnc(slots=4), steps)
        assert len(set(order)) == steps
        expected = torch.zeros(4, 2, dtype=torch.float64)
        expected[order] = 1
        torch.testing.assert_close(state.memory[0], expected, rtol=0, atol=2e-5)


def test_write_heads_of_one_step_take_different_slots() -> None:
    state, _ = fill(make_dnc(slots=4, write_heads=3), steps=1)
    weights = state.write_weights[0]
    assert (weights.max(-1).values > 1 - 1e-5).all()
    assert len(set(weights.argmax(-1).tolist())) == 3


def test_a_closed_first_write_head_leaves_its_slot_to_the_second() -> None:
    dnc = make_dnc(slots=4, write_heads=2)
    plant(dnc, {"allocation": OPEN, "write": OPEN}, {})
    with torch.no_grad():
        first_write_gate = dnc.write_interface.out_features - dnc.read_heads - dnc.write_heads
        dnc.write_interface.bias[first_write_gate] = CLOSED
    state = dnc.initial_state(1, torch.zeros(1, dtype=torch.float64))
    state = dnc.write(state, torch.zeros(1, SIZES.control).double(), some_items())
    assert (state.write_weights[0, 0] == 0).all()
    assert state.write_weights[0, 1].argmax() == 0


@pytest.mark.parametrize(("mode", "shift"), [("forward", 1), ("backward", -1)])
def test_reads_step_along_the_order_of_writing(mode: str, shift: int) -> None:
    dnc = make_dnc(slots=5, read_heads=2)
    state, order = fill(dnc, 5)
    plant(dnc, {}, {mode: OPEN})
    start = torch.eye(5).double()[[order[2], order[3]]].unsqueeze(0)
    _, state = dnc.read(state._replace(read_weights=start), torch.zeros(1, 3).double())
    assert state.read_weights.argmax(-1).tolist() == [[order[2 + shift], order[3 + shift]]]
    assert state.read_weights.max(-1).values.min() > 0.999


def test_freeing_the_slot_just_read_makes_it_the_next_to_be_written() -> None:
    dnc = make_dnc(slots=4)
    state, _ = fill(dnc, 4)
    plant(dnc, {"allocation": OPEN, "write": OPEN, "free": OPEN}, {})
    state = state._replace(read_weights=torch.eye(4).double()[[2]].unsqueeze(0))
    control = torch.zeros(1, SIZES.control).double()
    state = dnc.write(state, control, some_items())
    assert state.usage[0, 2] < 1e-12
    assert state.write_weights[0, 0, 2] > 1 - 1e-5


def test_without_freeing_a_full_memory_has_nothing_to_allocate() -> None:
    dnc = make_dnc(slots=3)
    state, _ = fill(dnc, 4)
    assert state.write_weights.sum() < 1e-4


@pytest.mark.parametrize("closed_by", ["no items", "masked items", "write gate"])
def test_closed_write_gates_leave_memory_and_links_bit_for_bit(closed_by: str) -> None:
    dnc = make_dnc(slots=4, write_heads=2)
    state = random_state(dnc, 2)
    control, items = random_step(SIZES, 2, items=0 if closed_by == "no items" else 3)
    if closed_by == "masked items":
        items = items._replace(mask=torch.zeros_like(items.mask))
    if closed_by == "write gate":
        items = items._replace(mask=torch.ones_like(items.mask))
        plant(dnc, {"write": CLOSED, "vectors": 3.0}, {})
    new = dnc.write(state, control, items)
    assert (new.write_weights == 0).all()
    for name in ("memory", "precedence", "link", "read_weights"):
        assert torch.equal(getattr(new, name), getattr(state, name)), name


def test_empty_set_still_frees_what_was_read() -> None:
    dnc = make_dnc()
    plant(dnc, {"free": OPEN}, {})
    state = random_state(dnc, 1)
    state = state._replace(read_weights=torch.eye(3).double()[[1]].unsqueeze(0))
    control, nothing = random_step(SIZES, 1, items=0)
    usage = dnc.write(state, control, nothing).usage[0]
    assert usage[1] < 1e-12 and usage[0] >= state.usage[0, 0] and usage[2] >= state.usage[0, 2]


# Settings ---------------------------------------------------------------------------------------


def test_slots_default_to_the_length_of_the_sequence() -> None:
    assert DNC(SIZES).slots == SIZES.steps


def test_context_is_all_read_vectors() -> None:
    assert make_dnc(read_heads=3, word_size=5).context_size == 15


@pytest.mark.parametrize("name", ["slots", "word_size", "read_heads", "write_heads"])
def test_a_setting_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        DNC(SIZES, **{name: 0})


def test_weightings_are_those_of_the_last_step() -> None:
    dnc = make_dnc()
    state = random_state(dnc, 2)
    weightings = dnc.weightings(state)
    assert torch.equal(weightings.read, state.read_weights)
    assert torch.equal(weightings.write, state.write_weights)
