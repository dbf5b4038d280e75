"""Any family with any core, and any short sequences for it, drawn by hypothesis."""

from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

from datamodules import FrameSequences, FunctionSequences
from lightning_modules import ANP, ASNP, GTMM, NP, SNP, VRNN
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from lightning_modules.temporal_vaes.visual import CompactNetworks
from memory_cores import CORES, MemoryCore
from tests.conformance.strategies import settings_for

Batch = TypeVar("Batch", FrameSequences, FunctionSequences)
#: By name: the family, and the class of the core if it may be chosen.
FRAMES: dict[str, tuple[type[TemporalVAE], type[MemoryCore] | None]] = {
    **{f"GTMM, {core.__name__}": (GTMM, core) for core in CORES},
    "VRNN": (VRNN, None),
}
FUNCTIONS: dict[str, tuple[type[NeuralProcess], type[MemoryCore] | None]] = {
    "NP": (NP, None),
    "ANP": (ANP, None),
    "SNP": (SNP, None),
    **{f"ASNP, {core.__name__}": (ASNP, core) for core in CORES},
}
FRAME = (1, 3, 2)


class Framed(NamedTuple):
    """A model of frames in float64, and sequences for it."""

    model: TemporalVAE
    batch: FrameSequences


class Functional(NamedTuple):
    """A model of functions in float64, and sequences for it."""

    model: NeuralProcess
    batch: FunctionSequences


@st.composite
def framed(draw: st.DrawFn, name: str) -> Framed:
    """A model of frames with drawn settings, and 1 to 4 sequences of 1 to 6 steps."""
    family, core = FRAMES[name]
    steps, actions = draw(st.integers(1, 6)), draw(st.integers(0, 2))
    chosen: dict[str, Any] = {
        "latent_size": draw(st.integers(1, 3)),
        "controller_size": draw(st.integers(1, 4)),
        "map_size": draw(st.integers(0, 3)),
    }
    if core is not None:
        chosen["memory"] = partial(core, **draw(settings_for(core, by_query=False)))
    prefix = draw(st.integers(1, steps))
    batch, seed = draw(st.integers(1, 4)), draw(st.integers(0, 99))
    torch.manual_seed(seed)
    model = family(
        sequence_length=steps,
        prefix_length=prefix,
        action_size=actions,
        frame_shape=FRAME,
        visual=partial(CompactNetworks, hidden_size=4),
        **chosen,
    ).double()
    return Framed(model, frames(batch, steps, actions))


def frames(batch: int, steps: int, actions: int) -> FrameSequences:
    """Random intensities and actions, of sequences whose ids are in no order."""
    nothing = torch.zeros(batch, steps, dtype=torch.int64)
    return FrameSequences(
        frames=torch.rand(batch, steps, *FRAME, dtype=torch.float64),
        actions=torch.rand(batch, steps, actions, dtype=torch.float64),
        recalled_from=nothing - 1,
        place=nothing,
        labels=nothing,
        episode=torch.randperm(100)[:batch],
    )


@st.composite
def functional(draw: st.DrawFn, name: str) -> Functional:
    """A model of functions with drawn settings; steps with 0 to 5 points and 1 to 5 targets."""
    family, core = FUNCTIONS[name]
    batch, steps = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    x_size, y_size = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    heads = draw(st.sampled_from([1, 3, 8]))
    chosen: dict[str, Any] = {
        "pooling": draw(st.sampled_from(["mean", "sum"])),
        "objective": draw(st.sampled_from(["elbo", "paper"])),
        "pool_memory": draw(st.booleans()),
    }
    if core is not None:
        chosen["memory"] = partial(core, **draw(settings_for(core, by_query=True)))
        chosen |= {name: draw(st.booleans()) for name in ("step_in_x", "recurrent_path")}
    points = draw(counts(batch, steps, 0)), draw(counts(batch, steps, 1))
    torch.manual_seed(draw(st.integers(0, 99)))
    model = family(
        sequence_length=steps,
        test_length=steps,
        x_size=x_size,
        x_range=draw(st.sampled_from([1.0, 4.0])),
        y_size=y_size,
        hidden_size=heads,
        latent_layers=2,
        deterministic_layers=2,
        **chosen,
    ).double()
    return Functional(model, functions(*points, x_size, y_size))


def counts(batch: int, steps: int, least: int) -> st.SearchStrategy[list[list[int]]]:
    """Numbers of points [B, T], up to 5 and often none."""
    row = st.lists(st.integers(least, 5), min_size=steps, max_size=steps)
    return st.lists(row, min_size=batch, max_size=batch)


def functions(
    contexts: list[list[int]], targets: list[list[int]], x_size: int, y_size: int
) -> FunctionSequences:
    """Random points, of sequences whose ids are in no order; padding is 0."""
    context_mask, target_mask = (
        torch.arange(max(map(max, numbers))) < torch.tensor(numbers).unsqueeze(2)
        for numbers in (contexts, targets)
    )

    def points(mask: Tensor, size: int) -> Tensor:
        drawn = torch.randn(*mask.shape, size, dtype=torch.float64)
        return drawn.masked_fill(~mask.unsqueeze(3), 0)

    return FunctionSequences(
        context_x=points(context_mask, x_size),
        context_y=points(context_mask, y_size),
        context_mask=context_mask,
        target_x=points(target_mask, x_size),
        target_y=points(target_mask, y_size),
        target_mask=target_mask,
        target_seen=torch.zeros_like(target_mask),
        task=torch.zeros(*context_mask.shape[:2], 1),
        episode=torch.randperm(100)[: len(contexts)],
    )


def only(batch: Batch, chosen: Any) -> Batch:
    """The chosen sequences of a batch."""
    return type(batch)(*(part[chosen] for part in batch))


def until(batch: Batch, step: int) -> Batch:
    """The steps of a batch before this one."""
    cut = (part if part.ndim == 1 else part[:, :step] for part in batch)
    return type(batch)(*cut)


def in_dtype(batch: Batch, dtype: torch.dtype) -> Batch:
    """The batch with its floats in another dtype."""
    return type(batch)(*(part.to(dtype) if part.is_floating_point() else part for part in batch))
