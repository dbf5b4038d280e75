"""Numbers that a core's state carries from step to step: a closed form for every core."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from memory_cores import (
    CORES,
    DKM,
    DNC,
    LRU,
    MLSTM,
    NTM,
    RMR,
    SAM,
    BayesianRegression,
    ContextWindow,
    GatedDelta,
    Hybrid,
    Introspection,
    MemoryCore,
    MemorySizes,
    NoMemory,
    TransformerCache,
)

#: Temporal model with 128 units and 32 latents, in a maze of 25 steps.
MAZE = MemorySizes(control=128, key=128, value=32, steps=25)
#: Neural process of width 64 on functions of one variable.
FUNCTIONS = MemorySizes(control=64, key=1, value=64, steps=50, query=1)
N, T, W, K, V, H = 25, 50, 64, 128, 32, 64


def size(core: Callable[[MemorySizes], MemoryCore], sizes: MemorySizes) -> int | None:
    return core(sizes).state_size


#: Memory, numbers per slot, five heads' weights if the next step depends on them, and others.
BY_HEADS: dict[type[MemoryCore], tuple[int, int]] = {
    Introspection: (N * V, 800),
    # Positions of the write head and the read heads.
    NTM: (N * W + N + 5 * N, 1_750),
    # Usage, precedence, the last write, links to other slots.
    DNC: (N * W + 3 * N + N * (N - 1) + 5 * N, 2_400),
    # Number of items written.
    ContextWindow: (N * (K + V) + 1, 4_001),
    # Values, proposals and cells of the value trackers; the key tracker's state.
    RMR: (N * (K + 3 * V) + 2 * V, 5_664),
    # Five slots per step; usage.
    LRU: (5 * N * W + 5 * N + 2 * 5 * 5 * N, 9_375),
    NoMemory: (0, 0),
    # Keys of five heads of 32, rotated to their steps; number of items written.
    TransformerCache: (N * (5 * 32 + V) + 1, 4_801),
    # Last read weights, and number of items written.
    Hybrid: (N * (64 + V) + 5 * N + 1, 2_526),
    # A row and its age for each slot; eight places and weights per head.
    SAM: (N * (W + 1) + 2 * 5 * 8, 1_705),
    # Two maps each; a triangle of a symmetric matrix.
    GatedDelta: (2 * N * V, 1_600),
    MLSTM: (2 * (N * V + N + 1), 1_652),
    BayesianRegression: (2 * (N * V + N * (N + 1) // 2), 2_250),
    DKM: (2 * (N * (N + V) + N * (N + 1) // 2), 3_500),
}
BY_QUERY: dict[type[MemoryCore], int] = {
    # Number of items written.
    Introspection: T * H + 1,
    # Share written, too.
    NTM: T * W + 2 * T,
    # Usage and the last write; there are no links.
    DNC: T * W + 2 * T,
    # Only items of earlier steps.
    ContextWindow: T * (1 + H) + 1,
    RMR: N * (1 + 3 * H) + 2 * H,
    # Usage, share written, and the last write of a single head.
    LRU: T * W + 3 * T,
    NoMemory: 0,
    TransformerCache: T * (1 + H + 1) + 1,
    Hybrid: T * (1 + H + 1) + 1,
    SAM: T * (W + 1),
    GatedDelta: 2 * T * H,
    MLSTM: 2 * (T * H + T + 1),
    BayesianRegression: 2 * (T * H + T * (T + 1) // 2),
    DKM: 2 * (T * (T + H) + T * (T + 1) // 2),
}


def test_all_cores_are_here() -> None:
    assert set(BY_HEADS) == set(BY_QUERY) == set(CORES)


@pytest.mark.parametrize("core", CORES)
def test_models_that_read_with_heads(core: type[MemoryCore]) -> None:
    formula, number = BY_HEADS[core]
    assert size(core, MAZE) == formula == number


@pytest.mark.parametrize("core", CORES)
def test_models_that_read_by_query(core: type[MemoryCore]) -> None:
    assert size(core, FUNCTIONS) == BY_QUERY[core]


@pytest.mark.parametrize("links", [1, 8])
def test_sparse_links_are_four_numbers_each(links: int) -> None:
    # Slot and weight, in either direction.
    sparse = partial(DNC, sparse_links=links)
    assert size(sparse, MAZE) == 2_400 - N * (N - 1) + 4 * N * links
    assert size(sparse, FUNCTIONS) == BY_QUERY[DNC]


def test_an_rmr_carries_neither_gaussians_nor_missing_trackers() -> None:
    assert size(partial(RMR, stochastic_keys=True), FUNCTIONS) == BY_QUERY[RMR]
    # Without trackers only values; without interaction values and cells, as values are proposals.
    for name, widths in (("without_flow_tracking", H), ("without_flow_interaction", 2 * H)):
        ablation = partial(RMR, **{name: True})
        assert size(ablation, FUNCTIONS) == N * (1 + widths) + 2 * H


def test_a_window_over_all_items_has_no_size_but_for_their_mean() -> None:
    assert size(partial(ContextWindow, slots="all"), FUNCTIONS) is None
    assert size(partial(ContextWindow, slots="all", attention="uniform"), FUNCTIONS) == H + 1
    # Only the step's own items remain.
    assert size(partial(ContextWindow, slots=0), FUNCTIONS) == 0


@pytest.mark.parametrize("core", [core for core in CORES if core is not NoMemory])
def test_slots_follow_the_setting_else_the_budget(core: type[MemoryCore]) -> None:
    budget = MAZE._replace(slots=7)
    assert core(budget).slots == 7
    assert core(budget, slots=3).slots == 3
    assert core(MAZE, slots=3).slots == 3
    assert core(MAZE).slots == (125 if core is LRU else 25)


def test_state_size_works_in_any_precision() -> None:
    # The initial state of RMR is a product with the weights.
    assert RMR(MAZE).double().state_size == RMR(MAZE).to(torch.bfloat16).state_size == 5_664
