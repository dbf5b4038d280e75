"""What probes change in a core's state, and which of its fields have a row for each slot."""

from functools import partial
from typing import Any

import pytest
import torch

from lightning_modules.probes import SlotRows, cycles, shuffled, slot_rows, transplanted
from memory_cores import DKM, DNC, LRU, NTM, RMR, ContextWindow, Introspection, MemorySizes
from memory_cores.dnc import DNCState

B, N, W = 3, 6, 2
SIZES = MemorySizes(control=8, key=8, value=4, steps=5)


@pytest.mark.parametrize(
    ("core", "rows"),
    [
        (DNC, {"memory": 0, "usage": 0}),
        (partial(DNC, sparse_links=2), {"memory": 0, "usage": 0}),
        (NTM, {"memory": 0, "norms": 0, "written": 0}),
        (LRU, {"memory": 0, "usage": 0, "written": 0}),
        (Introspection, {"memory": 0}),
        # One more row takes what is not kept.
        (ContextWindow, {"keys": 1, "values": 1, "steps": 0}),
        (DKM, {}),
    ],
)
def test_slots_are_what_grows_behind_the_batch(core: Any, rows: dict[str, int]) -> None:
    assert rows_of(core) == rows


def rows_of(core: Any) -> SlotRows:
    small, large = (core(SIZES, slots=n).initial_state(1, torch.empty(0)) for n in (8, 99))
    return slot_rows(small, large, 99)


def test_the_cells_of_an_rmr_are_its_slots() -> None:
    rows = rows_of(RMR)
    assert {"keys", "values", "proposals", "value_cells", "attended_keys"} <= rows.keys()
    assert not {"item_keys", "key_hidden"} & rows.keys()


def test_permutations_leave_no_real_place_and_no_other_one_alone() -> None:
    real = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 1, 0], [0, 0, 1, 0, 0, 0]]).bool()
    source = cycles(torch.rand(B, N, generator=torch.Generator().manual_seed(0)), real)
    assert torch.equal(source.sort(1).values, torch.arange(N).expand(B, N))
    moved = source != torch.arange(N)
    assert moved[0].all()
    assert torch.equal(moved[1], real[1])
    assert not moved[2].any(), "a single one has nowhere to go"


def state(first: float) -> DNCState:
    """A state in which slot n of sequence b holds first + 10 b + n, and was used as much."""
    number = first + 10 * torch.arange(B).unsqueeze(1) + torch.arange(N)
    heads = number.unsqueeze(1)
    links = torch.eye(N).expand(B, 1, N, N)
    return DNCState(number.unsqueeze(2).expand(B, N, W), number, heads, links, heads, heads)


def test_rows_move_as_a_whole_and_what_refers_to_them_stays() -> None:
    stored = state(1.0)
    nothing = DNCState(*(torch.zeros_like(part) for part in stored))
    # Slot 5 was never written.
    stored = stored._replace(memory=stored.memory.clone(), usage=stored.usage.clone())
    stored.memory[:, 5], stored.usage[:, 5] = 0, 0
    priorities = torch.rand(B, N, generator=torch.Generator().manual_seed(1))
    found = shuffled(stored, nothing, {"memory": 0, "usage": 0}, priorities)
    assert torch.equal(found.memory[:, :, 0], found.usage)
    assert not found.usage[:, 5].any()
    assert (found.usage[:, :5] != stored.usage[:, :5]).all()
    assert torch.equal(found.usage.sort(1).values, stored.usage.sort(1).values)
    for name in ("precedence", "link", "write_weights", "read_weights"):
        assert getattr(found, name) is getattr(stored, name)


def test_a_donor_is_the_sequence_before() -> None:
    found = transplanted(state(0.0))
    assert found.usage[:, 0].tolist() == [20, 0, 10]
    assert found.memory[:, 0, 0].tolist() == [20, 0, 10]
