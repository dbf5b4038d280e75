"""Retrieval of untrained cores, by the time and by the content of a controller's state."""

import pytest
import torch
from torch import Tensor

from lightning_modules.temporal_vaes.controller import Controller
from memory_cores import DNC, LRU, NTM, SAM, ContextWindow, Items, MemoryCore, MemorySizes
from memory_cores.parts.associative import lags
from memory_cores.parts.clock import clock_periods

CORES = (DNC, NTM, LRU, ContextWindow, SAM)
STEPS, UNITS = 15, 128
SIZES = MemorySizes(UNITS, UNITS, 8, STEPS, clock=clock_periods(UNITS, STEPS))


def ticking(batch: int) -> Tensor:
    """Return states [T, B, H] of a controller with a clock, whose other inputs are noise."""
    controller = Controller(0, 8, UNITS)
    controller.start_clock(SIZES.clock)
    state = controller.initial_state(batch, torch.zeros(1))
    states = []
    with torch.no_grad():
        known = controller.evidence_gates(torch.zeros(batch, 0))
        for _ in range(STEPS):
            state = controller.step(state, known, torch.randn(batch, 8))
            states.append(state.hidden)
    return torch.stack(states)


def read_masses(core: MemoryCore, keys: Tensor, control: Tensor) -> Tensor:
    """Write items with all keys but the last, read with the control; return [R, lag - 1]."""
    batch = keys.shape[1]
    state, wrote = core.initial_state(batch, keys), []
    with torch.no_grad():
        for key, following in zip(keys, [*keys[1:-1], control], strict=False):
            present = torch.ones(batch, 1, dtype=torch.bool)
            item = Items(key.unsqueeze(1), torch.randn(batch, 1, 8), present)
            _, state, _ = core.write_and_read(state, following, item)
            wrote.append(core.weightings(state).write)
    # If a slot is overwritten, only its last writer counts.
    read, writes = core.weightings(state).read, torch.stack(wrote, 1)
    return torch.einsum("brn,bshn->rs", read, writes).flip(1) / batch


@pytest.mark.parametrize("core_class", CORES)
def test_heads_by_time_read_at_their_lags(core_class: type) -> None:
    torch.manual_seed(0)
    core, states = core_class(SIZES), ticking(6)
    masses = read_masses(core, states, states[-1])
    for head, lag in enumerate(lags(5, SIZES)):
        if lag is None:
            continue
        near = masses[head, (torch.arange(1, STEPS) - lag).abs() <= 2].sum()
        assert near > 0.6 * masses[head].sum() > 0.3


@pytest.mark.parametrize("core_class", CORES)
def test_lags_between_heads_are_not_lost(core_class: type) -> None:
    """Lags between two heads keep enough weight to be learned."""
    torch.manual_seed(0)
    core, states = core_class(SIZES), ticking(6)
    best = read_masses(core, states, states[-1])[2:].amax(0)
    assert best[:13].min() > 0.15 / STEPS


@pytest.mark.parametrize("core_class", CORES)
def test_heads_by_content_read_a_similar_state_at_any_time(core_class: type) -> None:
    torch.manual_seed(0)
    core, states = core_class(SIZES), ticking(6)
    states[:, :, 16:] = 0.35 * torch.randn(STEPS, 6, UNITS - 16)
    for step in (2, 7, 11):
        control = torch.cat([states[-1, :, :16], states[step, :, 16:]], 1)
        masses = read_masses(core, states, control)[:2]
        assert (masses.argmax(1) == STEPS - 2 - step).all()
        assert (masses.amax(1) > 0.4).all()


def test_two_fifths_of_the_heads_look_up_by_content() -> None:
    found = lags(5, SIZES)
    assert found[:2] == [None, None]
    assert found[2:] == pytest.approx([19 / 6, 45 / 6, 71 / 6])
    assert lags(1, SIZES) == [7.5]
    assert lags(2, SIZES) == [None, 7.5]
    assert lags(3, SIZES._replace(clock=())) == [None] * 3


@pytest.mark.parametrize("core_class", CORES)
def test_a_plain_start_has_pytorchs_linear_layers(core_class: type) -> None:
    core = core_class(SIZES._replace(plain=True))
    for layer in core.modules():
        if isinstance(layer, torch.nn.Linear):
            bound = layer.in_features**-0.5
            assert layer.weight.abs().max() <= bound and layer.bias.abs().max() <= bound
            assert layer.weight.abs().max() > 0.95 * bound
