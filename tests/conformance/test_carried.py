"""The contract of every core about what its state carries from step to step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from memory_cores import (
    CORES,
    DKM,
    DNC,
    NTM,
    RMR,
    ContextWindow,
    Hybrid,
    Items,
    MemoryCore,
    MemorySizes,
    TransformerCache,
)
from memory_cores.parts.addressing import inverse_norms
from tests.conformance.cores import QUERY_SIZES, SIZES, build, every_core
from tests.conformance.rules import require
from tests.conformance.strategies import Case, Drawn, drawn, random_case

some_examples = settings(max_examples=12, deadline=None, derandomize=True, database=None)
either_way = pytest.mark.parametrize("sizes", [SIZES, QUERY_SIZES], ids=["by heads", "by query"])
#: Other settings that determine which fields a core carries.
SPECIAL: list[tuple[type[MemoryCore], MemorySizes, dict[str, Any]]] = [
    *(
        (core_class, sizes, settings)
        for sizes in (SIZES, QUERY_SIZES)
        for core_class, settings in (
            (DNC, {"sparse_links": 3}),
            (RMR, {"stochastic_keys": True}),
            (RMR, {"without_flow_tracking": True}),
            (RMR, {"without_flow_interaction": True}),
            (TransformerCache, {"positions": "alibi"}),
        )
    ),
    (ContextWindow, QUERY_SIZES, {"slots": 0}),
    (DKM, SIZES, {"latent_addresses": True}),
    (Hybrid, SIZES, {"rewrites": True}),
]
#: Number of sequences compared, and of those whose states are perturbed.
MANY, PERTURBED = 40, 16
#: Steps before and after the perturbation.
BEFORE, AFTER = 12, 4
#: Above rounding in float64.
NO_DIFFERENCE = 1e-13


def determined(core: MemoryCore, state: Any) -> dict[str, Tensor]:
    """Recompute fields that are redundant and stored only for speed."""
    if isinstance(core, NTM):
        return {"norms": inverse_norms(state.memory)}
    if isinstance(core, RMR) and not core.interacts:
        return {"proposals": state.values}
    return {}


def rubbish(part: Tensor) -> Tensor:
    return torch.full_like(part, torch.nan if part.is_floating_point() else -7)


def spoilt(core: MemoryCore, state: Any) -> Any:
    """Replace all fields that are not carried by rubbish, or by what the others determine."""
    fields = determined(core, state)
    return state._replace(
        **{name: fields.get(name, rubbish(getattr(state, name))) for name in core.not_carried}
    )


def walk(
    core: MemoryCore,
    case: Case,
    state: Any = None,
    between: Callable[[Any], Any] = lambda state: state,
) -> tuple[list[tuple[Tensor, ...]], Any]:
    """Return the outputs of each step, [B, ...], and the state; ``between`` maps states."""
    if state is None:
        state = core.initial_state(len(case.controls), like=case.controls)
    outputs = []
    for t, rows in enumerate(case.rows):
        state = between(state) if t else state
        control, noise = case.controls[:, t], case.noise[:, t]
        items = Items(*(part[:, t, :rows] for part in case.items))
        if core.sizes.query:
            state, kl = core.advance(state, control, items, control.flip(1), noise)
            values = core.lookup(core.snapshot(state, items), case.queries[:, t])
            outputs.append((values, *core.pool(state), kl))
        else:
            reads, state, kl = core.write_and_read(state, control, items, control.flip(1), noise)
            outputs.append((reads, kl))
    return outputs, state


@pytest.mark.parametrize("core_class", CORES)
def test_later_steps_do_not_depend_on_what_is_not_carried(core_class: type[MemoryCore]) -> None:
    def check(example: Drawn) -> None:
        core, case = example
        clean, _ = walk(core, case)
        other, _ = walk(core, case, between=lambda state: spoilt(core, state))
        for ours, theirs in zip(other, clean, strict=True):
            same = all(map(torch.equal, ours, theirs))
            require(same, f"no later step may depend on what not_carried names: {core.not_carried}")

    some_examples(given(drawn(core_class))(check))()


@every_core
@either_way
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_state_size_counts_the_numbers_that_matter(
    core_class: type[MemoryCore], shape: str, sizes: MemorySizes
) -> None:
    core = build(core_class, shape, sizes=with_plain_start(sizes))
    if not core.graph_steps:
        pytest.skip("its state_size counts all slots, its state only used ones")
    assert_counts_what_is_carried(core)


@pytest.mark.parametrize(("core_class", "sizes", "options"), SPECIAL)
def test_state_size_counts_them_with_other_settings(
    core_class: type[MemoryCore], sizes: MemorySizes, options: dict[str, Any]
) -> None:
    assert_counts_what_is_carried(build(core_class, sizes=with_plain_start(sizes), **options))


def with_plain_start(sizes: MemorySizes) -> MemorySizes:
    """Use six slots, and PyTorch's initial weights, so that heads differ."""
    return sizes._replace(plain=True, slots=6)


def assert_counts_what_is_carried(core: MemoryCore) -> None:
    """Assert that ``state_size`` counts the numbers that vary between sequences and matter later.

    Numbers that are always equal count once.
    """
    torch.manual_seed(3)
    # A quarter of the sets are empty, so that what the next item would displace matters, too.
    case = random_case(core, MANY, [(2, 0.5)] * (BEFORE + AFTER), 1.0)
    with torch.no_grad():
        _, state = walk(core, case.until(BEFORE))
        initial = core.initial_state(1, like=case.controls)._asdict()
        # Fields with the current step's items have no rows initially.
        names = [name for name, part in initial.items() if part.numel()]
        names = [name for name in names if name not in determined(core, state)]
        some = type(state)(*(part[:PERTURBED] for part in state))
        matters = matter(core, after(case.only(range(PERTURBED)), BEFORE), some, names)
    parts = [getattr(state, name).double().flatten(1) for name in names]
    numbers = torch.cat([case.controls[:, 0, :0], *parts], 1)
    counts = matters & (numbers != numbers[:1]).any(0)
    if names:
        counts &= ~torch.cat([mirrored(getattr(state, name)[0]) for name in names])
    sizes = {name: initial[name].numel() for name in names}
    found = numbers[:, counts].unique(dim=1).shape[1], int(counts.sum())
    complaints = wrongly_counted(core, sizes, matters, counts)
    rule = f"state_size is {core.state_size}, but the state carries {found[0]} different numbers"
    require(found == (core.state_size,) * 2, "; ".join(complaints) or rule)


def wrongly_counted(
    core: MemoryCore, sizes: dict[str, int], matters: Tensor, counts: Tensor
) -> list[str]:
    """Say of each field what contradicts ``not_carried``.

    Args:
        core: the core.
        sizes: numbers of each field.
        matters: mask of the numbers of all fields that influence later steps.
        counts: mask of those that also differ between sequences.
    """
    masks = (mask.split([*sizes.values()]) for mask in (matters, counts))
    complaints = []
    for (name, size), *parts in zip(sizes.items(), *masks, strict=True):
        mattering, counting = (int(part.sum()) for part in parts)
        carried = name not in core.not_carried
        if mattering and not carried:
            what = f"{mattering} numbers influence later steps; remove it from not_carried"
        elif carried and mattering < size:
            idle = f"{size - mattering} numbers never influence a later step"
            what = f"{idle}; use them or name them in not_carried"
        elif carried and counting < mattering:
            equal = f"{mattering - counting} numbers are equal in all sequences or mirrored"
            what = f"{equal}; do not count them in state_size"
        else:
            continue
        complaints.append(f"{name}: {what}")
    return complaints


def mirrored(part: Tensor) -> Tensor:
    """Return a flat mask of the entries above the diagonal of symmetric matrices."""
    if (
        part.dim() < 2
        or not part.any()
        or part.shape[-1] != part.shape[-2]
        or not torch.equal(part, part.mT)
    ):
        return torch.zeros(part.numel(), dtype=torch.bool)
    return torch.ones_like(part).triu(1).bool().flatten()


def after(case: Case, step: int) -> Case:
    """Return the steps from this one on."""
    items = Items(*(part[:, step:] for part in case.items))
    parts = (part[:, step:] for part in (case.controls, case.queries, case.noise))
    controls, queries, noise = parts
    return Case(controls, items, case.rows[step:], queries, noise)


def matter(core: MemoryCore, case: Case, state: Any, names: list[str]) -> Tensor:
    """Return a mask of the numbers in some fields that affect later outputs.

    The batch repeats each sequence, first with its true state, then with each number changed.
    """
    B, first = len(case.controls), 1
    sizes = {name: getattr(state, name)[0].numel() for name in names}
    times = 1 + sum(sizes.values())
    many = {name: part.repeat_interleave(times, 0) for name, part in state._asdict().items()}
    for name, size in sizes.items():
        numbers = many[name].view(B, times, size)[:, first : first + size].diagonal(dim1=1, dim2=2)
        numbers.copy_(wrong(core, numbers))
        first += size
    again = [b for b in range(B) for _ in range(times)]
    outputs, _ = walk(core, case.only(again), type(state)(**many))
    matters = torch.zeros(times, dtype=torch.bool)
    for part in (part.reshape(B, times, -1) for step in outputs for part in step):
        matters |= ((part - part[:, :1]).abs() > NO_DIFFERENCE).any(2).any(0)
    return matters[1:]


def wrong(core: MemoryCore, numbers: Tensor) -> Tensor:
    """Draw other plausible numbers: shares, or slots."""
    if numbers.is_floating_point():
        return torch.rand_like(numbers)
    return torch.randint(getattr(core, "slots", 0) or 1, numbers.shape)
