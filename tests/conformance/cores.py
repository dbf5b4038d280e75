"""Every core at several sizes, and inputs for it."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from memory_cores import (
    CORES,
    DKM,
    DNC,
    LRU,
    MLSTM,
    NTM,
    SAM,
    BayesianRegression,
    GatedDelta,
    Items,
    MemoryCore,
    MemorySizes,
    Weightings,
)
from tests.conformance.example_core import ExampleCore

SIZES = MemorySizes(control=4, key=3, value=5, steps=7)
#: Sizes of models that read by query.
QUERY_SIZES = SIZES._replace(query=3)
BATCH = 3
#: Passed only to cores with the setting.
SHAPES: dict[str, dict[str, int]] = {
    "smallest": {"slots": 1, "word_size": 1, "read_heads": 1, "write_heads": 1},
    "small": {"word_size": 4, "read_heads": 2},
    "wide": {"slots": 5, "word_size": 4, "read_heads": 3, "write_heads": 2},
    "sparse": {"word_size": 4, "read_heads": 2, "sparse_links": 3},
}


class LongSAM(SAM):
    """SAM with more slots than journal places, so that its state grows from step to step."""

    def __init__(self, sizes: MemorySizes, word_size: int = 4, read_heads: int = 2) -> None:
        super().__init__(sizes, 60, word_size, read_heads, nearest=2)
        assert sizes.query or self.slots > self.journal_places


def by_operators(core: type[MemoryCore]) -> Any:
    return pytest.param(core, id=f"{core.__name__} by operators", marks=pytest.mark.operators)


IN_PYTHON = [pytest.param(core, id=core.__name__) for core in (*CORES, LongSAM, ExampleCore)]
every_core = pytest.mark.parametrize("core_class", [*IN_PYTHON, by_operators(DNC)])
#: For what operators might break: dtypes, magnitudes, padding and graphs.
every_way = pytest.mark.parametrize(
    "core_class",
    [*IN_PYTHON, *map(by_operators, (NTM, LRU, DNC, GatedDelta, MLSTM, BayesianRegression, DKM))],
)
every_shape = pytest.mark.parametrize("shape", SHAPES)


class Step(NamedTuple):
    """The inputs of one step."""

    control: Tensor
    items: Items


class Unrolled(NamedTuple):
    """The outputs of a sequence."""

    reads: Tensor  #: [T, B, C]
    weightings: list[Weightings]
    state: Any


class Sequences(NamedTuple):
    """Inputs of a core that reads by query, with 6 queries per step."""

    controls: Tensor  #: [B, T, control]
    items: Items  #: [B, T, ...]
    queries: Tensor  #: [B, T, 6, Dq]


def settings_of(core_class: type[MemoryCore]) -> list[str]:
    """Return the names of a constructor's arguments but for the sizes, ``*args``, ``**options``."""
    _, *settings = inspect.signature(core_class).parameters.values()
    return [
        each.name for each in settings if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def build(
    core_class: type[MemoryCore],
    shape: str = "small",
    dtype: torch.dtype = torch.float64,
    sizes: MemorySizes = SIZES,
    **settings: int,
) -> MemoryCore:
    torch.manual_seed(0)
    valid = settings_of(core_class)
    settings = {name: n for name, n in {**SHAPES[shape], **settings}.items() if name in valid}
    return constructed(core_class, sizes, settings).to(dtype)


def constructed(
    core_class: type[MemoryCore], sizes: MemorySizes, settings: Mapping[str, Any]
) -> MemoryCore:
    """Build a core; an external one that refuses the settings' values, with its defaults."""
    try:
        return core_class(sizes, **settings)
    except ValueError:
        if core_class.__module__.startswith("memory_cores."):
            raise
        return core_class(sizes)


def build_by_query(core_class: type[MemoryCore], **settings: Any) -> MemoryCore:
    return build(core_class, sizes=QUERY_SIZES, **settings)


def sequence(
    steps: int = SIZES.steps, batch: int = BATCH, seed: int = 1, **kind: Any
) -> list[Step]:
    """Random sets of 1 to 4 items with padding; one sequence has an empty set at step 2."""
    kind = {"dtype": torch.float64, **kind}
    torch.manual_seed(seed)
    result = []
    for t in range(steps):
        count = 1 + t % 4
        mask = torch.rand(batch, count) < 0.7
        if t == 2:
            mask[0] = False
        keys = torch.randn(batch, count, SIZES.key).to(**kind)
        values = torch.randn(batch, count, SIZES.value).to(**kind)
        items = Items(keys, values, mask.to(keys.device))
        result.append(Step(torch.randn(batch, SIZES.control).to(**kind), items))
    return result


def without_items(step: Step) -> Step:
    return Step(step.control, Items(*(part[:, :0] for part in step.items)))


def unroll(core: MemoryCore, steps: list[Step], state: Any = None) -> Unrolled:
    if state is None:
        state = core.initial_state(len(steps[0].control), like=steps[0].control)
    reads, weightings = [], []
    for control, items in steps:
        read, state, _ = core.write_and_read(state, control, items)
        reads.append(read)
        weightings.append(core.weightings(state))
    return Unrolled(torch.stack(reads), weightings, state)


def random_sequences(
    steps: int = SIZES.steps,
    items: int = 4,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
    batch: int = BATCH,
) -> Sequences:
    """Random ragged sets; one sequence has an empty set at the last step, one has no items."""
    torch.manual_seed(2)

    def random(*shape: int) -> Tensor:
        return torch.randn(batch, steps, *shape).to(device, dtype).requires_grad_()

    mask = torch.rand(batch, steps, items) < 0.7
    mask[0, -1] = mask[1] = False
    rows = Items(random(items, SIZES.key), random(items, SIZES.value), mask.to(device))
    return Sequences(random(SIZES.control), rows, random(6, QUERY_SIZES.query))


def recall(core: MemoryCore, sequences: Sequences) -> tuple[Tensor, ...]:
    """Look up in all steps at once; return values, pools and KL, all [B, T, ...]."""
    snapshot, *rest = core.unroll(sequences.controls, sequences.items)
    return core.lookup(snapshot, sequences.queries), *rest


def recall_step_by_step(core: MemoryCore, sequences: Sequences) -> tuple[Tensor, ...]:
    state, steps = core.initial_state(BATCH, like=sequences.controls), []
    for t in range(sequences.controls.shape[1]):
        items = Items(*(part[:, t] for part in sequences.items))
        state = core.write(state, sequences.controls[:, t], items)
        values = core.lookup(core.snapshot(state, items), sequences.queries[:, t])
        steps.append((values, *core.pool(state), values.new_zeros(BATCH)))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))
