"""Read correctness against bookkeeping, slot by slot."""

import math

import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences
from lightning_modules.metrics.answers import age_of_answer, answers
from lightning_modules.metrics.read_correctness import read_measurements
from memory_cores import (
    CORES,
    RMR,
    Introspection,
    Items,
    MemoryCore,
    MemorySizes,
    NoMemory,
    Weightings,
)
from tests.conformance.example_core import ExampleCore


def sequences(place: list[list[int]], recalled_from: list[list[int]]) -> FrameSequences:
    B, T = len(place), len(place[0])
    nothing = torch.zeros(B, T, 0)
    return FrameSequences(
        torch.zeros(B, T, 1, 1, 1),
        nothing,
        torch.tensor(recalled_from),
        torch.tensor(place),
        torch.zeros(B, T, dtype=torch.int64),
        torch.arange(B),
    )


# Places 0 1 0 2 1 0; the answers of steps 2, 4 and 5 are steps 0, 1 and (0 or 2).
MAZE = sequences([[0, 1, 0, 2, 1, 0]], [[-1, -1, 0, -1, 1, 2]])
# Parity: each step its own place, the answers of steps 3 and 4 are steps 0 and 1.
PARITY = sequences([[0, 1, 2, 3, 4]], [[-1, -1, -1, 0, 1]])


def test_every_earlier_visit_of_the_place_holds_the_answer() -> None:
    pairs = answers(MAZE)[0].nonzero().tolist()
    assert pairs == [[2, 0], [4, 1], [5, 0], [5, 2]]
    assert answers(PARITY)[0].nonzero().tolist() == [[3, 0], [4, 1]]


def test_the_age_is_that_of_the_last_showing() -> None:
    assert age_of_answer(MAZE)[0].tolist() == [0, 0, 2, 0, 3, 3]
    # Step 0 answers step 4, and step 3 has shown its picture again: the age is one step.
    followed = sequences([[0, 1, 2, 0, 0]], [[-1, -1, -1, 0, 0]])
    assert age_of_answer(followed)[0].tolist() == [0, 0, 0, 3, 1]


def bookkeeping(read: Tensor, write: Tensor, steps: Tensor) -> list[list[float]]:
    """Mass [T][R] on the given steps; each slot keeps what is left of each step's write."""
    T, R, N = read.shape
    slots: list[dict[int, float]] = [{} for _ in range(N)]
    mass = []
    for t in range(T):
        for n in range(N):
            kept = math.prod(1 - float(w) for w in write[t, :, n])
            slots[n] = {s: kept * left for s, left in slots[n].items()}
            if t > 0:
                slots[n][t - 1] = 1 - kept
        mass.append(
            [
                sum(
                    float(read[t, r, n]) * left / max(sum(slots[n].values()), 0.01)
                    for n in range(N)
                    for s, left in slots[n].items()
                    if steps[t, s]
                )
                for r in range(R)
            ]
        )
    return mass


def test_it_equals_bookkeeping_slot_by_slot() -> None:
    generator = torch.Generator().manual_seed(0)
    read = torch.rand(1, 6, 3, 4, generator=generator).softmax(3)
    read = read * torch.tensor([0.8, 0.3, 0.5]).view(3, 1)  # heads of unequal mass
    write = torch.rand(1, 6, 2, 4, generator=generator) * 0.9
    write[:, 0] = 0  # nothing is written before the first latent was drawn
    measured = read_measurements(Weightings(read, write), MAZE)
    mass = bookkeeping(read[0], write[0], answers(MAZE)[0])
    for t in (2, 4, 5):
        overall = sum(mass[t]) / (0.8 + 0.3 + 0.5)
        assert measured["read_correctness"].values[0, t].item() == pytest.approx(overall, rel=1e-5)
        best = max(found / whole for found, whole in zip(mass[t], (0.8, 0.3, 0.5), strict=True))
        value = measured["read_correctness_best_head"].values[0, t].item()
        assert value == pytest.approx(best, rel=1e-5)
    assert measured["read_correctness"].where[0].tolist() == [False, False, True, False, True, True]


def test_a_head_on_the_right_slot_scores_one_until_the_slot_is_overwritten() -> None:
    write = torch.zeros(1, 5, 1, 2)
    write[0, 1, 0, 0] = 0.1  # step 0 is stored in slot 0, faintly, but alone,
    write[0, 2, 0, 1] = 1  # step 1 in slot 1,
    write[0, 4, 0, 1] = 1  # which step 3 takes
    read = torch.zeros(1, 5, 1, 2)
    read[0, 3, 0, 0] = read[0, 4, 0, 1] = 0.5
    found = read_measurements(Weightings(read, write), PARITY)["read_correctness"]
    assert found.values[0, 3:].tolist() == [1.0, 0.0]


def test_the_tails_of_a_softmax_do_not_fill_the_slots_that_nothing_was_written_to() -> None:
    write = torch.full((1, 5, 1, 6), 1e-6)
    write[0, 0] = 0
    for t in range(1, 5):
        write[0, t, 0, t - 1] = 1
    read = torch.zeros(1, 5, 1, 6)
    read[0, :, 0, 4:] = 0.5  # from the two empty slots
    found = read_measurements(Weightings(read, write), PARITY)["read_correctness"]
    assert found.values[0, 3:].max() < 1e-3


def test_reading_nothing_is_not_correct() -> None:
    nothing = torch.zeros(1, 5, 2, 3)
    found = read_measurements(Weightings(nothing, nothing), PARITY)
    assert [m.values[0, 3:].tolist() for m in found.values()] == [[0.0, 0.0]] * 2


def test_introspection_is_followed_through_its_shifts() -> None:
    """Positions move on with each item; the share must follow the item, not the position."""
    torch.manual_seed(0)
    core = Introspection(MemorySizes(control=3, key=3, value=2, steps=5), slots=3, read_heads=2)
    state, seen = core.initial_state(1, torch.zeros(1)), []
    for t in range(5):
        control = torch.randn(1, 3)
        item = Items(torch.zeros(1, 1, 3), torch.randn(1, 1, 2), torch.full((1, 1), t > 0))
        state = core.write(state, control, item)
        _, state = core.read(state, control)
        seen.append((state.read_weights, core.weightings(state)))
    weightings = Weightings(*(torch.stack(w, 1) for w in zip(*(w for _, w in seen), strict=True)))
    found = read_measurements(weightings, PARITY)["read_correctness"].values[0]
    # At step 3 the items of steps 2, 1, 0 are at positions 0, 1, 2; at step 4 that of 0 has left.
    assert found[3].item() == pytest.approx(seen[3][0][0, :, 2].mean().item(), rel=1e-5)
    assert found[4].item() == pytest.approx(seen[4][0][0, :, 2].mean().item(), rel=1e-5)


def weightings_of(core_class: type[MemoryCore]) -> Weightings:
    """Weights of random steps, none of which writes before the second."""
    torch.manual_seed(0)
    core = core_class(MemorySizes(control=3, key=3, value=2, steps=6))
    state, seen = core.initial_state(1, torch.zeros(1)), []
    for t in range(6):
        item = Items(torch.randn(1, 1, 3), torch.randn(1, 1, 2), torch.full((1, 1), t > 0))
        state = core.write(state, torch.randn(1, 3), item)
        _, state = core.read(state, torch.randn(1, 3))
        seen.append(core.weightings(state))
    return Weightings(*(torch.stack(w, 1) for w in zip(*seen, strict=True)))


@pytest.mark.parametrize("core_class", [*CORES, ExampleCore])
def test_shares_of_every_core_are_shares(core_class: type[MemoryCore]) -> None:
    weightings = weightings_of(core_class)
    for measurement in read_measurements(weightings, MAZE).values():
        shares = measurement.values[measurement.where]
        assert len(shares) == (3 if weightings.write.numel() else 0)
        assert ((shares >= 0) & (shares <= 1 + 1e-5)).all()


@pytest.mark.parametrize("core_class", [NoMemory, RMR, ExampleCore])
def test_cores_whose_slots_hold_no_steps_measure_nothing(core_class: type[MemoryCore]) -> None:
    found = read_measurements(weightings_of(core_class), MAZE)
    assert not any(measurement.where.any() for measurement in found.values())
