"""Unrolls of cores by their operators and in Python, and assertions that compare the two."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from memory_cores import Items, MemoryCore, MemorySizes
from memory_cores.kernels import building
from tests.memory_cores.kernels.spying import spied

B, STEPS = 3, 9
SIZES = MemorySizes(control=7, key=3, value=4, steps=6)


class Run(NamedTuple):
    """An unroll, and its gradients."""

    state: Any
    reads: Tensor
    gradients: tuple[Tensor, ...]


def with_large_weights(core: MemoryCore) -> MemoryCore:
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return core.double()


def ones(batch: int = B) -> Items:
    """An item of ones for each sequence, in double precision."""
    parts = (torch.ones(batch, 1, size).double() for size in SIZES[1:3])
    return Items(*parts, torch.ones(batch, 1) > 0)


def walk(
    core: Any,
    steps: int = STEPS,
    take: Callable[..., Any] | None = None,
    unseen: Sequence[str] = (),
) -> Run:
    """Unroll, some steps without an item, with a loss on reads and state.

    Args:
        core: in double precision.
        steps: number of steps.
        take: function that takes a step; default: ``write_and_read``.
        unseen: fields of the state without a gradient.
    """
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.double, generator=generator)

    take = type(core).write_and_read if take is None else take
    controls = draw(steps, B, SIZES.control).requires_grad_()
    state, outputs = core.initial_state(B, controls), []
    for t in range(steps):
        present = torch.rand(B, 1, generator=generator) < 0.7
        items = Items(draw(B, 1, SIZES.key), draw(B, 1, SIZES.value), present)
        reads, state, _ = take(core, state, controls[t], items)
        outputs.append(reads)
    reads = torch.stack(outputs)
    fields = [part for name, part in state._asdict().items() if name not in unseen]
    loss = sum((part * draw(*part.shape)).sum() for part in (reads, *fields))
    return Run(state, reads, torch.autograd.grad(loss, [controls, *core.parameters()]))


def assert_same_walk(
    core: Any,
    kernel: Any,
    operator: str,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[..., Any] | None = None,
    unseen: Sequence[str] = (),
) -> None:
    """Assert that every step calls an operator, with the same results as in Python."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kernel, operator, spied(getattr(kernel, operator), calls))
    with building.left_out():
        slow = walk(core, take=take, unseen=unseen)
    assert not calls
    fast = walk(core, take=take, unseen=unseen)
    assert len(calls) == STEPS
    for name, ours, theirs in zip(fast.state._fields, fast.state, slow.state, strict=True):
        assert (ours - theirs).abs().max() < 1e-12, name
    assert (fast.reads - slow.reads).abs().max() < 1e-12
    for ours, theirs in zip(fast.gradients, slow.gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-10 * (1 + theirs.abs().max())


def assert_served_under_autocast(
    core: Any, sequences: int, kernel: Any, monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    """Assert that an operator steps a single-precision memory as Python does, under autocast."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kernel, "step", spied(kernel.step, calls))
    control = torch.randn(sequences, SIZES.control, requires_grad=True)
    parts = (torch.randn(sequences, 1, size) for size in SIZES[1:3])
    items, found = Items(*parts, torch.ones(sequences, 1) > 0), []
    for way in (nullcontext, building.left_out):
        state = core.initial_state(sequences, control)
        with way(), torch.autocast("cpu", torch.bfloat16):
            reads, state, _ = core.write_and_read(state, control.bfloat16(), items)
            gradients = torch.autograd.grad(reads.float().square().sum(), tuple(core.parameters()))
        found.append((reads, *state, *gradients))
    assert len(calls) == 1
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype is torch.float32
        # Python's products are in bfloat16.
        torch.testing.assert_close(ours, theirs.float(), rtol=0.05, atol=error)


def assert_compiled_steps_call(core: Any, name: str) -> None:
    """Assert that a compiled step is one graph with the operator in it."""
    graphs: list[str] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph.code)
        return graph

    def step(state: Any, control: Tensor, items: Items) -> tuple[Any, ...]:
        return core.write_and_read(state, control, items)

    control = torch.zeros(B, SIZES.control).double()
    compiled = torch.compile(step, fullgraph=True, backend=backend)
    reads, *_ = compiled(core.initial_state(B, control), control, ones())
    assert reads.shape == (B, core.context_size)
    assert name in graphs[0]


def assert_is_an_operator(
    core: Any, library: Any, name: str, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Any]
) -> None:
    """Assert that an operator has a valid schema, gradients, and shapes when traced."""
    control = torch.randn(B, SIZES.control).double().requires_grad_()
    items = Items(*(torch.randn(B, 1, n).double() for n in SIZES[1:3]), torch.ones(B, 1) > 0)
    operator, calls = getattr(library, name), []
    with monkeypatch.context() as patched:
        patched.setattr(library, name, spied(operator, calls))
        _, state, _ = core.write_and_read(core.initial_state(B, control), control, items)
        calls.clear()
        take(state, control, items)
    (arguments,) = calls
    leaves = [
        part.detach().requires_grad_(part.requires_grad) if torch.is_tensor(part) else part
        for part in arguments
    ]
    torch.library.opcheck(operator.default, tuple(leaves))


def assert_raw_interfaces_may_be_large(core: Any, size: float, error: float = 1e-3) -> None:
    """Assert that gates beyond the range of an exponential give the same results as in Python.

    Args:
        core: in double precision; the biases of its linear maps are set to +-size.
        size: magnitude of the biases.
        error: tolerance of single precision.
    """
    with torch.no_grad():
        for layer in core.children():
            layer.bias.copy_(size * layer.bias.sign())
    control = torch.randn(3, SIZES.control, generator=torch.Generator().manual_seed(1)).double()
    item = Items(control[:, None, :3], control[:, None, 3:], torch.ones(3, 1) > 0)
    found = []
    for kind, way in ((torch.float, nullcontext), (torch.double, building.left_out)):
        twin, inputs = deepcopy(core).to(kind), control.to(kind)
        items = Items(item.keys.to(kind), item.values.to(kind), item.mask)
        with way():
            reads, state, _ = twin.write_and_read(twin.initial_state(3, inputs), inputs, items)
            loss = reads.square().sum()
            found.append((reads, *state, *torch.autograd.grad(loss, tuple(twin.parameters()))))
    for ours, theirs in zip(*found, strict=True):
        assert (ours - theirs).abs().max() < error * (1 + theirs.abs().max())
