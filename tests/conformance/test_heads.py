"""Heads of a core differ: a copy of another head would only cost time and memory."""

import pytest
import torch

from memory_cores import CORES, MemoryCore
from tests.conformance.cores import (
    build,
    build_by_query,
    random_sequences,
    recall,
    sequence,
    settings_of,
    unroll,
)
from tests.conformance.rules import require

HEADS = {"read_heads": 3, "write_heads": 2}
with_heads = pytest.mark.parametrize(
    "core_class", [core for core in CORES if {*HEADS, "heads"} & {*settings_of(core)}]
)


@with_heads
def test_no_two_heads_start_equal_in_models_that_read_by_query(
    core_class: type[MemoryCore],
) -> None:
    """Look-ups see all slots alike, whichever head wrote them, so equal heads would stay alike."""
    assert_rows_differ(build_by_query(core_class, **HEADS))


@with_heads
@pytest.mark.parametrize("by_query", [False, True], ids=["by heads", "by query"])
def test_no_two_heads_are_equal_after_two_training_steps(
    core_class: type[MemoryCore], by_query: bool
) -> None:
    core = (build_by_query if by_query else build)(core_class, **HEADS)
    optimiser = torch.optim.Adam(core.parameters(), lr=0.01)
    for _ in range(2):
        found = recall(core, random_sequences())[0] if by_query else unroll(core, sequence()).reads
        optimiser.zero_grad()
        (found * torch.randn_like(found)).sum().backward()
        optimiser.step()
    assert_rows_differ(core)


def assert_rows_differ(core: MemoryCore) -> None:
    for name, parameter in core.named_parameters():
        if parameter.dim() > 1 and parameter[0].numel() > 1:  # single numbers may be equal
            differ = torch.pdist(parameter.detach().flatten(1)) > 1e-6
            require(differ.all(), f"no two heads may be equal: two rows of {name} are")
