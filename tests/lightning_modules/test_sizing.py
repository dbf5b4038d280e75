"""Slots and widths that meet a budget of parameters, of state, or both."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import ANP, ASNP, GTMM, NP, SNP, VRNN
from memory_cores import CORES, DNC, LRU, NTM, ContextWindow, Introspection, NoMemory

MAZE: dict[str, Any] = {
    "sequence_length": 25,
    "prefix_length": 12,
    "action_size": 5,
    "frame_shape": (1, 28, 28),
}
FUNCTIONS: dict[str, Any] = {
    "sequence_length": 50,
    "test_length": 50,
    "x_size": 1,
    "x_range": 4.0,
    "y_size": 1,
}
WITH_SLOTS = [core for core in CORES if core is not NoMemory]
#: Nothing is allocated.
META = torch.device("meta")


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def gtmm(memory: Any = DNC, **settings: Any) -> GTMM:
    with META:
        return GTMM(**MAZE, memory=memory, **settings)


def asnp(memory: Any = DNC, **settings: Any) -> ASNP:
    with META:
        return ASNP(**FUNCTIONS, memory=memory, **settings)


# What is carried -----------------------------------------------------------------------------


def test_a_temporal_model_carries_its_controller_its_feedback_and_its_memory() -> None:
    # h and c, z, five reads of words, the core.
    assert gtmm(controller_size=128).state_size == 2 * 128 + 32 + 5 * 64 + 2_400
    # Reads are not fed back.
    assert gtmm(Introspection, controller_size=128).state_size == 2 * 128 + 32 + 800
    assert gtmm(NoMemory, controller_size=128).state_size == 2 * 128 + 32


def test_vrnn_carries_what_it_sees_of_the_last_frame() -> None:
    with META:
        model = VRNN(**MAZE, controller_size=128, extracted_size=40)
    assert model.state_size == 2 * 128 + 32 + 40


def test_a_neural_process_carries_its_latents_lstm_and_its_memory() -> None:
    # h, c and z; the core, whose links nobody would follow.
    assert asnp(hidden_size=16).state_size == 3 * 16 + 50 * 64 + 2 * 50
    # The deterministic LSTM's state and its last input, too.
    recurrent = asnp(NoMemory, hidden_size=16, recurrent_path=True)
    assert recurrent.state_size == 3 * 16 + 3 * 16
    with META:
        snp = SNP(**FUNCTIONS, hidden_size=16)
    assert snp.state_size == 3 * 16 + 3 * 16


def test_what_reads_and_latents_only_average_is_two_running_sums() -> None:
    with META:
        averaging = NP(**FUNCTIONS, hidden_size=16)
        # Latents that pool sums need no number of points.
        summing = NP(**FUNCTIONS, hidden_size=16, pooling="sum")
        met = NP(**FUNCTIONS, state_budget=200)
    assert averaging.state_size == 2 * 16 + 2
    assert summing.state_size == 2 * 16 + 1
    assert (met.units, met.state_size) == (99, 200)


def test_a_model_that_attends_to_all_points_has_no_size() -> None:
    with META:
        assert ANP(**FUNCTIONS, hidden_size=16).state_size is None


# Budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", CORES)
def test_neural_processes_meet_a_budget_of_parameters(core: Any) -> None:
    model = asnp(core, parameter_budget=110_000, pool_memory=True)
    assert 0.95 <= parameters(model) / 110_000 <= 1
    wider = asnp(core, hidden_size=model.units + 1, pool_memory=True)
    assert parameters(wider) > 110_000


def test_a_width_that_is_given_or_nothing_at_all_has_no_budget() -> None:
    assert asnp(hidden_size=24, parameter_budget=110_000).units == 24
    assert asnp().units == 64
    assert gtmm(controller_size=24).units == 24
    assert gtmm(parameter_budget=None).units == 128


@pytest.mark.parametrize("core", WITH_SLOTS)
def test_slots_meet_a_budget_of_state(core: Any) -> None:
    before = gtmm(core, controller_size=64)
    model = gtmm(core, controller_size=64, state_budget=4_000)
    assert model.state_size == pytest.approx(4_000, rel=0.05)
    assert model.core.slots != before.core.slots
    # As near as slots can come.
    for slots in (model.core.slots - 1, model.core.slots + 1):
        other = gtmm(partial(core, slots=slots), controller_size=64)
        assert abs(other.state_size - 4_000) >= abs(model.state_size - 4_000)


@pytest.mark.parametrize("core", [LRU, Introspection])
def test_both_budgets_are_met_at_once(core: Any) -> None:
    temporal = gtmm(core, state_budget=3_000)
    assert temporal.state_size == pytest.approx(3_000, rel=0.05)
    assert 0.95 <= parameters(temporal) / 1_172_000 <= 1
    process = asnp(core, parameter_budget=110_000, state_budget=5_000)
    assert process.state_size == pytest.approx(5_000, rel=0.05)
    assert 0.95 <= parameters(process) / 110_000 <= 1


def test_slots_that_settings_name_stay_and_the_width_moves() -> None:
    model = asnp(partial(NTM, slots=5), state_budget=1_000)
    assert model.core.slots == 5
    # 5 * 64 + 2 * 5 are the core's; 3 h the latents'.
    assert (model.units, model.state_size) == (223, 999)
    assert asnp(partial(NTM, slots=5)).units == 64


def test_without_slots_the_width_moves() -> None:
    with META:
        model = VRNN(**MAZE, parameter_budget=None, state_budget=1_000)
    assert (model.units, model.state_size) == (452, 1_000)


def test_where_slots_are_too_coarse_the_width_helps() -> None:
    # A row takes 205 numbers at 173 units; the width may go down by 5% of the parameters.
    model = gtmm(ContextWindow, state_budget=890)
    assert model.core.slots == 2
    assert model.state_size == pytest.approx(890, rel=0.05)
    assert parameters(model) < 1_172_000
    assert parameters(model) >= 0.95 * 1_172_000


def test_without_a_budget_the_slots_are_the_cores_own() -> None:
    assert [gtmm(core, controller_size=8).core.slots for core in (DNC, LRU)] == [25, 125]


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no slots to add": (
        gtmm,
        {"memory": NoMemory, "state_budget": 5_000},
        r"^state_budget must be within 5% of 644, the nearest possible size within "
        r"parameter_budget 1172000, got 5000$",
    ),
    "a width that is given": (
        asnp,
        {"memory": NoMemory, "hidden_size": 10, "state_budget": 100},
        r"^state_budget must be within 5% of 30, the nearest possible size, got 100$",
    ),
    "a state that grows": (
        asnp,
        {"memory": partial(ContextWindow, slots="all"), "state_budget": 100},
        r"^state_budget must be null for a model that keeps all items, whose state grows, got 100$",
    ),
    "too few parameters": (
        asnp,
        {"parameter_budget": 100},
        r"^parameter_budget must be at least \d+, got 100$",
    ),
    "between two widths": (
        asnp,
        {"memory": NoMemory, "parameter_budget": 100},
        r"^parameter_budget must be at most 5% above 82, or at least 204, which the next width "
        r"takes, got 100$",
    ),
    "no parameters": (asnp, {"parameter_budget": 0}, "parameter_budget must be above 0, got 0"),
    "no state": (gtmm, {"state_budget": -1}, "state_budget must be above 0, got -1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_budgets_that_cannot_be_met_are_refused(name: str) -> None:
    build, settings, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        build(**settings)


def test_budgets_that_were_met_can_be_looked_up() -> None:
    assert gtmm().budgets == (1_172_000, None)
    assert gtmm(controller_size=8, state_budget=3_000).budgets == (None, 3_000)
    assert asnp(parameter_budget=110_000).budgets == (110_000, None)
    assert asnp(hidden_size=8, parameter_budget=110_000).budgets == (None, None)
