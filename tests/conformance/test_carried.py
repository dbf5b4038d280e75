"""Promises of every core about what its state hands from one step to the next."""

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
from tests.conformance.cores import ASKED, SIZES, build, every_core
from tests.conformance.strategies import Case, Drawn, drawn, random_case

some_examples = settings(max_examples=12, deadline=None, derandomize=True, database=None)
either_way = pytest.mark.parametrize("sizes", [SIZES, ASKED], ids=["by heads", "by query"])
#: Beside the shapes of all cores: what else decides on the fields that a core carries.
SPECIAL: list[tuple[type[MemoryCore], MemorySizes, dict[str, Any]]] = [
    *(
        (core_class, sizes, chosen)
        for sizes in (SIZES, ASKED)
        for core_class, chosen in (
            (DNC, {"sparse_links": 3}),
            (RMR, {"stochastic_keys": True}),
            (RMR, {"without_flow_tracking": True}),
            (RMR, {"without_flow_interaction": True}),
            (TransformerCache, {"positions": "alibi"}),
        )
    ),
    (ContextWindow, ASKED, {"slots": 0}),
    (DKM, SIZES, {"latent_addresses": True}),
    (Hybrid, SIZES, {"rewrites": True}),
]
#: Sequences whose states are compared, and how many of them get wrong numbers.
MANY, TRIED = 40, 16
#: Steps before that, and after it.
BEFORE, AFTER = 12, 4
#: Rounding is far below, in float64.
NO_DIFFERENCE = 1e-13


def determined(core: MemoryCore, state: Any) -> dict[str, Tensor]:
    """Fields that are kept because it is faster, computed from the others."""
    if isinstance(core, NTM):
        return {"norms": inverse_norms(state.memory)}
    if isinstance(core, RMR) and not core.interacts:
        return {"proposals": state.values}
    return {}


def rubbish(part: Tensor) -> Tensor:
    return torch.full_like(part, torch.nan if part.is_floating_point() else -7)


def spoilt(core: MemoryCore, state: Any) -> Any:
    """The state with rubbish in all that is not carried, but for what the rest determines."""
    known = determined(core, state)
    return state._replace(
        **{name: known.get(name, rubbish(getattr(state, name))) for name in core.not_carried}
    )


def walk(
    core: MemoryCore,
    case: Case,
    state: Any = None,
    between: Callable[[Any], Any] = lambda state: state,
) -> tuple[list[tuple[Tensor, ...]], Any]:
    """Whatever a model sees of each step, [B, ...], and the state; another is put in between."""
    if state is None:
        state = core.initial_state(len(case.controls), like=case.controls)
    seen = []
    for t, rows in enumerate(case.rows):
        state = between(state) if t else state
        control, noise = case.controls[:, t], case.noise[:, t]
        items = Items(*(part[:, t, :rows] for part in case.items))
        if core.sizes.query:
            state, kl = core.advance(state, control, items, control.flip(1), noise)
            found = core.lookup(core.snapshot(state, items), case.queries[:, t])
            seen.append((found, *core.pool(state), kl))
        else:
            reads, state, kl = core.write_and_read(state, control, items, control.flip(1), noise)
            seen.append((reads, kl))
    return seen, state


@pytest.mark.parametrize("core_class", CORES)
def test_later_steps_do_not_depend_on_what_is_not_carried(core_class: type[MemoryCore]) -> None:
    def check(found: Drawn) -> None:
        core, case = found
        clean, _ = walk(core, case)
        other, _ = walk(core, case, between=lambda state: spoilt(core, state))
        for ours, theirs in zip(other, clean, strict=True):
            assert all(torch.equal(left, right) for left, right in zip(ours, theirs, strict=True))

    some_examples(given(drawn(core_class))(check))()


@every_core
@either_way
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_a_state_is_as_large_as_the_numbers_that_make_a_difference(
    core_class: type[MemoryCore], shape: str, sizes: MemorySizes
) -> None:
    core = build(core_class, shape, sizes=with_plain_start(sizes))
    if not core.graph_steps:
        pytest.skip("its state_size counts all slots, its state only those used so far")
    assert_counts_what_is_carried(core)


@pytest.mark.parametrize(("core_class", "sizes", "chosen"), SPECIAL)
def test_a_state_is_as_large_with_other_settings_too(
    core_class: type[MemoryCore], sizes: MemorySizes, chosen: dict[str, Any]
) -> None:
    assert_counts_what_is_carried(build(core_class, sizes=with_plain_start(sizes), **chosen))


def with_plain_start(sizes: MemorySizes) -> MemorySizes:
    """Heads that start alike hold the same numbers; and six slots are enough."""
    return sizes._replace(plain=True, slots=6)


def assert_counts_what_is_carried(core: MemoryCore) -> None:
    """Assert that ``state_size`` is how many numbers differ between sequences and matter later.

    Of numbers that are always the same, one counts.
    """
    torch.manual_seed(3)
    # A quarter of the sets are empty, so that what drops out with the next item is seen once more.
    case = random_case(core, MANY, [(2, 0.5)] * (BEFORE + AFTER), 1.0)
    with torch.no_grad():
        _, state = walk(core, case.until(BEFORE))
        initial = core.initial_state(1, like=case.controls)._asdict()
        # What comes anew in each step has no row at first.
        names = [name for name, part in initial.items() if part.numel()]
        names = [name for name in names if name not in determined(core, state)]
        chosen = type(state)(*(part[:TRIED] for part in state))
        matters = matter(core, after(case.only(range(TRIED)), BEFORE), chosen, names)
    parts = [getattr(state, name).double().flatten(1) for name in names]
    held = torch.cat([case.controls[:, 0, :0], *parts], 1)
    counts = matters & (held != held[:1]).any(0)
    if names:
        counts &= ~torch.cat([mirrored(getattr(state, name)[0]) for name in names])
    sizes = [initial[name].numel() for name in names]
    by_name = {n: int(part.sum()) for n, part in zip(names, counts.split(sizes), strict=True)}
    assert core.state_size == held[:, counts].unique(dim=1).shape[1] == counts.sum(), by_name


def mirrored(part: Tensor) -> Tensor:
    """Tell which numbers of a part, flat, repeat those below the diagonal of symmetric matrices."""
    if (
        part.dim() < 2
        or not part.any()
        or part.shape[-1] != part.shape[-2]
        or not torch.equal(part, part.mT)
    ):
        return torch.zeros(part.numel(), dtype=torch.bool)
    return torch.ones_like(part).triu(1).bool().flatten()


def after(case: Case, step: int) -> Case:
    """The steps from this one on."""
    items = Items(*(part[:, step:] for part in case.items))
    parts = (part[:, step:] for part in (case.controls, case.queries, case.noise))
    controls, queries, noise = parts
    return Case(controls, items, case.rows[step:], queries, noise)


def matter(core: MemoryCore, rest: Case, state: Any, names: list[str]) -> Tensor:
    """Tell which numbers of some fields change what is seen later, if they are others.

    In a batch where each sequence comes once with its true state, then once with each number wrong.
    """
    B, first = len(rest.controls), 1
    sizes = {name: getattr(state, name)[0].numel() for name in names}
    times = 1 + sum(sizes.values())
    many = {name: part.repeat_interleave(times, 0) for name, part in state._asdict().items()}
    for name, size in sizes.items():
        numbers = many[name].view(B, times, size)[:, first : first + size].diagonal(dim1=1, dim2=2)
        numbers.copy_(wrong(core, numbers))
        first += size
    again = [b for b in range(B) for _ in range(times)]
    seen, _ = walk(core, rest.only(again), type(state)(**many))
    matters = torch.zeros(times, dtype=torch.bool)
    for part in (part.reshape(B, times, -1) for step in seen for part in step):
        matters |= ((part - part[:, :1]).abs() > NO_DIFFERENCE).any(2).any(0)
    return matters[1:]


def wrong(core: MemoryCore, numbers: Tensor) -> Tensor:
    """Numbers that a state could have: shares, or slots."""
    if numbers.is_floating_point():
        return torch.rand_like(numbers)
    return torch.randint(getattr(core, "slots", 0) or 1, numbers.shape)
