"""Hypothesis strategies: cores with any settings, and short sequences for them."""

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
from tests.conformance.cores import constructed, settings_of

WIDTHS = st.integers(1, 5)
#: Strategies of all settings of the project's cores, except literals and switches.
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
#: Switches that only models with read heads support.
OF_HEADS = "rewrites", "latent_addresses"
#: A step's rows, and the share of them that is real.
FILLED = st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0]))


class Case(NamedTuple):
    """B sequences of T steps for a core; ragged only in the mask."""

    controls: Tensor  #: [B, T, control]
    items: Items  #: [B, T, N, ...]
    rows: tuple[int, ...]  #: rows of each step; later ones are padding
    queries: Tensor  #: [B, T, M, Dq]; Dq is 0 for models that read with heads
    noise: Tensor  #: [B, T, noise_size]

    def __repr__(self) -> str:
        """Return sizes only; Hypothesis shows it beside a failure."""
        return f"{len(self.controls)} sequences with {self.rows} items"

    def only(self, index: Any) -> "Case":
        """Select sequences of the batch."""
        items = Items(*(part[index] for part in self.items))
        parts = (part[index] for part in (self.controls, self.queries, self.noise))
        controls, queries, noise = parts
        return Case(controls, items, self.rows, queries, noise)

    def until(self, step: int) -> "Case":
        """Return the steps before this one."""
        items = Items(*(part[:, :step] for part in self.items))
        parts = (part[:, :step] for part in (self.controls, self.queries, self.noise))
        controls, queries, noise = parts
        return Case(controls, items, self.rows[:step], queries, noise)

    def with_items(self, items: Items) -> "Case":
        """Replace the items; every step has the same number of rows."""
        steps, rows = items.mask.shape[1:]
        return self._replace(items=items, rows=(rows,) * steps)


class Drawn(NamedTuple):
    """A core in float64, and sequences for it."""

    core: MemoryCore
    case: Case


@st.composite
def settings_for(draw: st.DrawFn, core_class: type[MemoryCore], by_query: bool) -> dict[str, Any]:
    """Draw valid settings of a core."""
    kinds = get_type_hints(core_class.__init__)
    settings: dict[str, Any] = {}
    for name in settings_of(core_class):
        values = SETTINGS.get(name)
        if kinds.get(name) is bool:
            values = st.just(False) if name in OF_HEADS and by_query else st.booleans()
        elif get_origin(kinds.get(name)) is Literal:
            values = st.sampled_from(get_args(kinds[name]))
        elif name == "slots" and by_query and core_class is ContextWindow:
            values = st.sampled_from([0, 1, 3, 6, "all"])
        elif name == "slots" and by_query and core_class in (TransformerCache, Hybrid):
            values = st.sampled_from([1, 3, 6, "all"])
        if values is not None:  # else its valid values are unknown: keep the default
            settings[name] = draw(values)
    if core_class is RMR and settings["without_flow_tracking"]:
        settings["separate_weights"] = settings["without_flow_interaction"] = False
    return settings


@st.composite
def sizes_for(draw: st.DrawFn, steps: int, by_query: bool) -> MemorySizes:
    """Draw the widths of a model; queries are as wide as keys."""
    key = draw(WIDTHS)
    return MemorySizes(draw(WIDTHS), key, draw(WIDTHS), steps, key if by_query else 0)


def random_case(
    core: MemoryCore, batch: int, filled: list[tuple[int, float]], spread: float
) -> Case:
    """Draw normal numbers; ``filled`` has each step's rows and their real share."""
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
    """Draw a core with scaled initial parameters, and sequences."""
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
    """Build a fixed example as ``drawn`` does."""
    torch.manual_seed(seed)
    core = constructed(core_class, sizes, settings).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.mul_(scale)
    return Drawn(core, random_case(core, batch, filled, spread))


def outcome(core: MemoryCore, case: Case, real: RealPoints | None = None) -> tuple[Tensor, ...]:
    """Return all outputs of a core that a model sees, each [B, T, ...]."""
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
    """Return the same from the single-step calls of the contract."""
    state, steps = core.initial_state(len(case.controls), like=case.controls), []
    for t, rows in enumerate(case.rows):
        control, noise = case.controls[:, t], case.noise[:, t]
        items = Items(*(part[:, t, :rows] for part in case.items))
        state, kl = core.advance(state, control, items, control.flip(1), noise)
        reads, state = core.read(state, control)
        if core.sizes.query:
            values = core.lookup(core.snapshot(state, items), case.queries[:, t])
            steps.append((values, *core.pool(state), kl))
        else:
            steps.append((reads, *core.weightings(state), kl))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))
