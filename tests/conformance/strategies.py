"""Any core with any settings, and any short sequences for it, drawn by hypothesis."""

from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import torch
from hypothesis import strategies as st
from torch import Tensor

from memory_cores import (
    RMR,
    ContextWindow,
    Hybrid,
    Items,
    MemoryCore,
    MemorySizes,
    TransformerCache,
)
from memory_cores.parts.real_points import RealPoints
from tests.conformance.cores import settings_of

WIDTHS = st.integers(1, 5)
#: Of every setting that a core of ours has; kinds and switches are told by their types.
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "slots": st.integers(1, 6),
    "word_size": WIDTHS,
    "read_heads": st.integers(1, 3),
    "heads": st.integers(1, 3),
    "queries": st.integers(1, 3),
    "write_heads": st.integers(1, 3),
    "nearest": st.integers(1, 8),
    "sparse_links": st.none() | st.integers(1, 8),
    "usage_decay": st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    "hidden_size": WIDTHS,
    "head_size": st.integers(1, 9),
    "key_size": WIDTHS,
    "top_k": st.none() | st.integers(1, 8),
    "attention_heads": st.integers(1, 3),
    "key_range": st.none() | st.sampled_from([0.1, 4.0]),
}
#: Switches of models that read with heads.
OF_HEADS = "rewrites", "latent_addresses"
#: Items of a step: rows, and the share of them that is real.
FILLED = st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0]))


class Case(NamedTuple):
    """B sequences of T steps for a core; ragged only in the mask."""

    controls: Tensor  #: [B, T, control]
    items: Items  #: [B, T, N, ...]
    rows: tuple[int, ...]  #: rows of each step; those behind are padding
    queries: Tensor  #: [B, T, M, Dq]; Dq is 0 for models that read with heads
    noise: Tensor  #: [B, T, noise_size]

    def only(self, chosen: Any) -> "Case":
        """The chosen sequences of the batch."""
        items = Items(*(part[chosen] for part in self.items))
        parts = (part[chosen] for part in (self.controls, self.queries, self.noise))
        controls, queries, noise = parts
        return Case(controls, items, self.rows, queries, noise)

    def until(self, step: int) -> "Case":
        """The steps before this one."""
        items = Items(*(part[:, :step] for part in self.items))
        parts = (part[:, :step] for part in (self.controls, self.queries, self.noise))
        controls, queries, noise = parts
        return Case(controls, items, self.rows[:step], queries, noise)

    def with_items(self, items: Items) -> "Case":
        """Other rows, as many in every step."""
        steps, rows = items.mask.shape[1:]
        return self._replace(items=items, rows=(rows,) * steps)


class Drawn(NamedTuple):
    """A core in float64, and sequences for it."""

    core: MemoryCore
    case: Case


@st.composite
def settings_for(draw: st.DrawFn, core_class: type[MemoryCore], by_query: bool) -> dict[str, Any]:
    """Valid settings of a core, each of them sometimes left out."""
    kinds = get_type_hints(core_class.__init__)
    chosen: dict[str, Any] = {}
    for name in list(settings_of(core_class))[1:]:
        values = SETTINGS.get(name)
        if kinds[name] is bool:
            values = st.just(False) if name in OF_HEADS and by_query else st.booleans()
        elif get_origin(kinds[name]) is Literal:
            values = st.sampled_from(get_args(kinds[name]))
        elif name == "slots" and by_query and core_class is ContextWindow:
            values = st.sampled_from([0, 1, 3, 6, "all"])
        elif name == "slots" and by_query and core_class in (TransformerCache, Hybrid):
            values = st.sampled_from([1, 3, 6, "all"])
        if values is not None:  # else only the core knows what is valid, as its default is
            chosen[name] = draw(values)
    if core_class is RMR and chosen["without_flow_tracking"]:
        chosen["separate_weights"] = chosen["without_flow_interaction"] = False
    return chosen


@st.composite
def sizes_for(draw: st.DrawFn, steps: int, by_query: bool) -> MemorySizes:
    """Widths of a model; queries are as wide as keys, as in all models that ask."""
    key = draw(WIDTHS)
    return MemorySizes(draw(WIDTHS), key, draw(WIDTHS), steps, key if by_query else 0)


def random_case(
    core: MemoryCore, batch: int, filled: list[tuple[int, float]], spread: float
) -> Case:
    """Normal numbers of a spread; each step has so many rows, of which a share is real."""
    sizes, T = core.sizes, len(filled)
    N = max(rows for rows, _ in filled)

    def random(*shape: int) -> Tensor:
        return spread * torch.randn(batch, T, *shape, dtype=torch.float64)

    mask = torch.rand(batch, T, N) < torch.tensor([share for _, share in filled]).view(1, T, 1)
    rows = tuple(rows for rows, _ in filled)
    mask &= torch.arange(N) < torch.tensor(rows).view(1, T, 1)
    items = Items(random(N, sizes.key), random(N, sizes.value), mask)
    noise = torch.randn(batch, T, core.noise_size, dtype=torch.float64)
    return Case(random(sizes.control), items, rows, random(3, sizes.query), noise)


@st.composite
def drawn(
    draw: st.DrawFn,
    core_class: type[MemoryCore],
    scales: tuple[float, ...] = (1.0,),
    spreads: tuple[float, ...] = (0.3, 1.0),
) -> Drawn:
    """A core whose first parameters are scaled, and sequences with numbers of a spread."""
    by_query = draw(st.booleans())
    filled = draw(st.lists(FILLED, min_size=1, max_size=6))
    sizes = draw(sizes_for(len(filled), by_query))
    settings = draw(settings_for(core_class, by_query))
    batch, scale, spread = draw(
        st.tuples(st.integers(1, 4), *map(st.sampled_from, (scales, spreads)))
    )
    return build(
        core_class, sizes, settings, batch, filled, scale, spread, draw(st.integers(0, 99))
    )


def build(
    core_class: type[MemoryCore],
    sizes: MemorySizes,
    settings: dict[str, Any],
    batch: int,
    filled: list[tuple[int, float]],
    scale: float = 1.0,
    spread: float = 1.0,
    seed: int = 0,
) -> Drawn:
    """What ``drawn`` draws; examples to keep are given by these numbers."""
    torch.manual_seed(seed)
    core = core_class(sizes, **settings).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.mul_(scale)
    return Drawn(core, random_case(core, batch, filled, spread))


def outcome(core: MemoryCore, case: Case, real: RealPoints | None = None) -> tuple[Tensor, ...]:
    """All that a model sees of a core, each [B, T, ...]."""
    if core.sizes.query:
        snapshot, *rest = core.unroll(case.controls, case.items, case.controls.flip(2), case.noise)
        return core.lookup(snapshot, case.queries, real), *rest
    state, steps = core.initial_state(len(case.controls), like=case.controls), []
    for t, rows in enumerate(case.rows):
        items = Items(*(part[:, t, :rows] for part in case.items))
        control, noise = case.controls[:, t], case.noise[:, t]
        reads, state, kl = core.write_and_read(state, control, items, control.flip(1), noise)
        steps.append((reads, *core.weightings(state), kl))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))


def step_by_step(core: MemoryCore, case: Case) -> tuple[Tensor, ...]:
    """The same, by the calls of the contract that ``outcome`` does without."""
    state, steps = core.initial_state(len(case.controls), like=case.controls), []
    for t, rows in enumerate(case.rows):
        control, noise = case.controls[:, t], case.noise[:, t]
        items = Items(*(part[:, t, :rows] for part in case.items))
        state, kl = core.advance(state, control, items, control.flip(1), noise)
        reads, state = core.read(state, control)
        if core.sizes.query:
            found = core.lookup(core.snapshot(state, items), case.queries[:, t])
            steps.append((found, *core.pool(state), kl))
        else:
            steps.append((reads, *core.weightings(state), kl))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))
