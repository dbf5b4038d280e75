"""Attributions are finite differences, and the weights of cores that average what is stored."""

import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.attribution import attributions
from memory_cores import DNC, RMR, ContextWindow, Introspection, Items, MemoryCore, NoMemory
from tests.conformance.cores import BATCH, SIZES, build, every_core

T = SIZES.steps
EPSILON = 1e-6
#: What a DNC's attributions miss: no gradient passes through its usage, as in the authors' code.
NO_GRADIENT_OF_USAGE = 2e-3


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Items]:
    """Controls, and one item a step, of which the first is missing."""
    torch.manual_seed(4)
    control, key, value = (
        torch.randn(BATCH, T, width, dtype=dtype)
        for width in (SIZES.control, SIZES.key, SIZES.value)
    )
    return control, Items(key, value, (torch.arange(T) > 0).expand(BATCH, -1))


def at(step: int, core: MemoryCore, direction: Tensor | None = None) -> Tensor:
    """Directions [B, T, C] of the read of one step."""
    if direction is None:
        direction = torch.randn(BATCH, core.context_size, dtype=torch.float64)
    directions = torch.zeros(BATCH, T, core.context_size, dtype=torch.float64)
    directions[:, step] = direction
    return directions


def read(core: MemoryCore, controls: Tensor, items: Items, noise: Tensor | None = None) -> Tensor:
    """Reads of all steps, [B, T, C]."""
    state, reads = core.initial_state(len(controls), like=controls), []
    for t in range(T):
        item = Items(*(part[:, t : t + 1] for part in items))
        read, state, _ = core.write_and_read(
            state, controls[:, t], item, noise=None if noise is None else noise[:, t]
        )
        reads.append(read)
    return torch.stack(reads, 1)


@torch.no_grad()
def differences(
    core: MemoryCore, controls: Tensor, items: Items, directions: Tensor, noise: Tensor | None
) -> Tensor:
    """Attributions by moving one number of one stored value at a time, each in its own copy."""
    moves = EPSILON * torch.eye(T * SIZES.value, dtype=torch.float64).view(-1, T, SIZES.value)
    copies = torch.cat([moves, -moves])
    rows = torch.arange(BATCH).repeat_interleave(len(copies))
    moved = Items(*(part[rows] for part in items))
    moved = moved._replace(values=moved.values + copies.repeat(BATCH, 1, 1))
    reads = read(core, controls[rows], moved, None if noise is None else noise[rows])
    ends = (reads * directions[rows]).sum((1, 2)).view(BATCH, 2, T, SIZES.value)
    norms = ((ends[:, 0] - ends[:, 1]) / (2 * EPSILON)).norm(dim=2)
    return norms / norms.sum(1, keepdim=True).clamp(min=1e-30)


@every_core
def test_they_are_what_finite_differences_give(core_class: type[MemoryCore]) -> None:
    core = build(core_class)
    controls, items = inputs()
    directions = at(5, core)
    found = attributions(core, controls, items, directions)
    expected = differences(core, controls, items, directions, None)
    error = NO_GRADIENT_OF_USAGE if core_class is DNC else 1e-5
    torch.testing.assert_close(found.double(), expected, atol=error, rtol=0)
    assert (found[:, 0] == 0).all(), "the first step stores nothing"
    assert (found[:, 6:] == 0).all(), "later steps were not read"
    reads = core_class is not NoMemory
    torch.testing.assert_close(found.sum(1).double(), torch.full((BATCH,), float(reads)).double())


def test_a_core_that_draws_is_given_its_noise() -> None:
    torch.manual_seed(0)
    core = RMR(SIZES, slots=3, attention_heads=1, stochastic_keys=True).double()
    controls, items = inputs()
    noise, directions = torch.randn(BATCH, T, core.noise_size).double(), at(5, core)
    expected = differences(core, controls, items, directions, noise)
    for _ in range(2):
        found = attributions(core, controls, items, directions, noise=noise)
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("core_class", [Introspection, ContextWindow])
@pytest.mark.parametrize("head", [0, 1])
def test_a_head_that_averages_has_its_weights(core_class: type[MemoryCore], head: int) -> None:
    """An introspection's gates are factors of the whole read."""
    torch.manual_seed(0)
    core = core_class(SIZES, slots=T, read_heads=2).double()
    controls, items = inputs()
    for step in (2, 6):
        direction = torch.zeros(BATCH, 2, SIZES.value, dtype=torch.float64)
        direction[:, head] = torch.randn(BATCH, SIZES.value)
        found = attributions(core, controls, items, at(step, core, direction.flatten(1)))
        state = core.initial_state(BATCH, like=controls)
        for t in range(step + 1):
            item = Items(*(part[:, t : t + 1] for part in items))
            _, state, _ = core.write_and_read(state, controls[:, t], item)
        # Of items, which begin at step 1; positions that nothing was written to have weight, too.
        weights = core.weightings(state).read[:, head, :step]
        expected = torch.zeros(BATCH, T, dtype=torch.float64)
        expected[:, 1 : step + 1] = weights / weights.sum(1, keepdim=True)
        torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=0)


@every_core
def test_they_are_found_in_inference_mode_and_leave_no_trace(
    core_class: type[MemoryCore],
) -> None:
    core = build(core_class)
    expected = attributions(core, *inputs(), at(5, core, torch.ones(core.context_size)))
    core = build(core_class)
    with torch.inference_mode():
        controls, items = inputs()
        directions = at(5, core, torch.ones(core.context_size))
        found = attributions(core, controls, items, directions)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert all(parameter.grad is None for parameter in core.parameters())


def test_one_random_direction_estimates_all_that_is_read() -> None:
    """The mean square over directions is the square of the derivative's Frobenius norm."""
    torch.manual_seed(0)
    core = ContextWindow(SIZES, slots=T, read_heads=3).double()
    controls, items = inputs()
    many = torch.arange(BATCH).repeat(200)
    directions = torch.zeros(len(many), T, core.context_size, dtype=torch.float64)
    directions[:, 5].normal_()
    copies = Items(*(part[many] for part in items))
    found = attributions(core, controls[many], copies, directions)
    found = found.view(200, BATCH, T).mean(0)
    items.values.requires_grad_()
    reads = read(core, controls, items)[:, 5]
    rows = [
        torch.autograd.grad(reads[:, row].sum(), items.values, retain_graph=True)[0]
        for row in range(core.context_size)
    ]
    norms = torch.stack(rows).square().sum((0, 3)).sqrt()
    torch.testing.assert_close(
        found.double(), norms / norms.sum(1, keepdim=True), atol=0.03, rtol=0
    )
