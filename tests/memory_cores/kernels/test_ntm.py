"""The C++ operator against the Python of `NTM.write` and `NTM.read`, step by step."""

from contextlib import nullcontext
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from memory_cores import NTM, Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels import ntm as ntm_kernel
from memory_cores.ntm import NTMState
from tests.memory_cores.kernels.spying import spied

B, STEPS = 3, 9
SIZES = MemorySizes(control=7, key=3, value=4, steps=6)
#: Slots, words, read heads and write heads.
SHAPES = {"one head": (6, 5, 1, 1), "two write heads": (5, 4, 3, 2), "one slot": (1, 2, 2, 1)}
SHAPES |= {"more heads than a vector has": (9, 6, 11, 9), "whole vectors": (34, 33, 2, 1)}
pytestmark = pytest.mark.operators


class Run(NamedTuple):
    """An unroll, and its gradients."""

    state: NTMState
    reads: Tensor
    gradients: tuple[Tensor, ...]


def core_of(shape: str) -> NTM:
    torch.manual_seed(0)
    slots, words, reading, writing = SHAPES[shape]
    core = NTM(SIZES, slots=slots, word_size=words, read_heads=reading, write_heads=writing)
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return core.double()


def run(core: NTM) -> Run:
    """Unroll with some steps without an item, under a loss that sees all that has a gradient."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.double, generator=generator)

    controls = draw(STEPS, B, SIZES.control).requires_grad_()
    state, found = core.initial_state(B, controls), []
    for t in range(STEPS):
        present = torch.rand(B, 1, generator=generator) < 0.7
        items = Items(draw(B, 1, SIZES.key), draw(B, 1, SIZES.value), present)
        reads, state, _ = core.write_and_read(state, controls[t], items)
        found.append(reads)
    seen = (torch.stack(found), *state._replace(written=state.norms))
    loss = sum((part * draw(*part.shape)).sum() for part in seen)
    gradients = torch.autograd.grad(loss, [controls, *core.parameters()])
    return Run(state, seen[0], gradients)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_walk_and_its_gradients_are_the_same(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    core, calls = core_of(shape), []
    monkeypatch.setattr(ntm_kernel, "step", spied(ntm_kernel.step, calls))
    with building.left_out():
        slow = run(core)
    assert not calls
    fast = run(core)
    assert len(calls) == STEPS
    for name, ours, theirs in zip(NTMState._fields, fast.state, slow.state, strict=True):
        assert (ours - theirs).abs().max() < 1e-12, name
    assert (fast.reads - slow.reads).abs().max() < 1e-12
    for ours, theirs in zip(fast.gradients, slow.gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-10 * (1 + theirs.abs().max())


@pytest.mark.parametrize("sequences", [3, 17])
def test_it_serves_a_memory_in_single_precision_under_autocast(sequences: int) -> None:
    core = core_of("whole vectors").float()
    with torch.no_grad():  # where heads point sharply, the rounding of a key moves them
        for parameter in core.parameters():
            parameter.mul_(0.3)
    control = torch.randn(sequences, SIZES.control, requires_grad=True)
    parts = (torch.randn(sequences, 1, size) for size in SIZES[1:3])
    items, found = Items(*parts, torch.ones(sequences, 1) > 0), []
    for way in (nullcontext, building.left_out):
        state = core.initial_state(sequences, control)
        with way(), torch.autocast("cpu", torch.bfloat16):
            reads, state, _ = core.write_and_read(state, control.bfloat16(), items)
            gradients = torch.autograd.grad(reads.float().square().sum(), tuple(core.parameters()))
        found.append((reads, *state, *gradients))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype is torch.float32
        # Python's products are in bfloat16.
        torch.testing.assert_close(ours, theirs.float(), rtol=0.05, atol=0.1)


def test_a_compiled_step_calls_it() -> None:
    core, graphs = core_of("whole vectors"), []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph.code)
        return graph

    control = torch.zeros(B, SIZES.control).double()
    parts = (torch.ones(B, 1, size).double() for size in SIZES[1:3])
    items = Items(*parts, torch.ones(B, 1) > 0)
    compiled = torch.compile(core.write_and_read, fullgraph=True, backend=backend)
    reads, *_ = compiled(core.initial_state(B, control), control, items)
    assert reads.shape == (B, core.context_size)
    assert "ntm_kernel.step" in graphs[0]


def test_it_is_an_operator_as_pytorch_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its schema, its gradients, and its shapes where a graph is traced."""
    core, asked = core_of("whole vectors"), []
    control = torch.randn(B, SIZES.control).double().requires_grad_()
    items = Items(*(torch.randn(B, 1, n).double() for n in SIZES[1:3]), torch.ones(B, 1) > 0)
    with monkeypatch.context() as patched:
        patched.setattr(torch.ops.ntm_kernel, "step", spied(torch.ops.ntm_kernel.step, asked))
        core.write_and_read(core.initial_state(B, control), control, items)
    (given,) = asked
    given = [
        part.detach().clone().requires_grad_(part.requires_grad) if torch.is_tensor(part) else part
        for part in given
    ]
    torch.library.opcheck(torch.ops.ntm_kernel.step.default, tuple(given))


def test_tensors_of_other_shapes_are_refused() -> None:
    core = core_of("one head")
    control = torch.zeros(B, SIZES.control).double()
    items = Items(*(torch.ones(B, 1, n).double() for n in SIZES[1:3]), torch.ones(B, 1) > 0)
    state = core.initial_state(B, control)
    with pytest.raises(RuntimeError, match="norms must be \\[3, 6\\] and contiguous"):
        core.write_and_read(state._replace(norms=state.norms[:, :5]), control, items)


def test_models_that_ask_by_query_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntm_kernel, "step", None)
    core = NTM(SIZES._replace(query=3)).double()
    control = torch.zeros(B, SIZES.control).double()
    items = Items(*(torch.ones(B, 1, n).double() for n in SIZES[1:3]), torch.ones(B, 1) > 0)
    reads, *_ = core.write_and_read(core.initial_state(B, control), control, items)
    assert reads.shape == (B, 0)
