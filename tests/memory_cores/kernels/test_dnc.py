"""The C++ operators against the Python version of `DNC.write` and `DNC.read`, step by step."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from memory_cores import DNC, Items, MemoryCore
from memory_cores.dnc import DNCState, SparseDNCState
from memory_cores.kernels import building
from memory_cores.kernels import dnc as dnc_kernel
from tests.memory_cores.kernels.spying import spied
from tests.memory_cores.kernels.walking import (
    SIZES,
    STEPS,
    B,
    assert_compiled_steps_call,
    assert_is_an_operator,
    assert_raw_interfaces_may_be_large,
    assert_same_walk,
    assert_served_under_autocast,
    walk,
    with_large_weights,
)

SHAPES = {"one head": (6, 5, 1), "three heads": (5, 4, 3), "one slot": (1, 2, 2)}
SHAPES |= {"more heads than a vector has": (9, 6, 11), "whole vectors": (34, 33, 2)}
pytestmark = pytest.mark.operators
every_shape = pytest.mark.parametrize("shape", SHAPES)


def core_of(shape: str) -> MemoryCore:
    torch.manual_seed(0)
    slots, words, heads = SHAPES[shape]
    return with_large_weights(DNC(SIZES, slots=slots, word_size=words, read_heads=heads))


def two_calls(
    core: DNC, state: DNCState, control: Tensor, items: Items
) -> tuple[Tensor, DNCState | SparseDNCState, Tensor]:
    """Write and read in separate calls."""
    return *core.read(core.write(state, control, items), control), control.new_zeros(len(control))


@every_shape
@pytest.mark.parametrize(("take", "operator"), [(DNC.write_and_read, "step"), (two_calls, "write")])
def test_a_walk_and_its_gradients_are_the_same(
    shape: str,
    take: Callable[..., Any],
    operator: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_same_walk(core_of(shape), dnc_kernel, operator, monkeypatch, take)


def test_a_memory_without_read_heads_has_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """In models that read by query, recall and its gradients equal those of Python."""
    torch.manual_seed(0)
    core, calls = DNC(SIZES._replace(query=3), slots=5, word_size=4).double(), []
    monkeypatch.setattr(dnc_kernel, "write", spied(dnc_kernel.write, calls))
    controls, queries = (torch.randn(B, STEPS, *n).double() for n in ([SIZES.control], [2, 3]))
    parts = [torch.randn(B, STEPS, 2, size).double() for size in SIZES[1:3]]
    items = Items(*parts, torch.rand(B, STEPS, 2) < 0.6)
    found = []
    for way in (nullcontext, building.left_out):
        with way():
            recollections = core.unroll(controls, items)
            recalled = core.lookup(recollections.snapshot, queries)
            loss = (recalled * recalled.detach().cos()).sum() + recollections.total.square().sum()
            found.append((recalled, *torch.autograd.grad(loss, tuple(core.parameters()))))
    assert len(calls) == STEPS
    for ours, theirs in zip(*found, strict=True):
        assert (ours - theirs).abs().max() < 1e-10 * (1 + theirs.abs().max())
    state = calls[-1][0]
    assert state.precedence.shape == (B, 0, 5) and state.link.shape == (B, 0, 5, 5)
    arguments = [
        part.detach() for part in (*state, *calls[-1][1:3], *core.write_interface.parameters())
    ]
    torch.library.opcheck(torch.ops.dnc_kernel.write.default, tuple(arguments))


@pytest.mark.parametrize("sequences", [3, 17])
def test_operators_serve_a_memory_in_single_precision_under_autocast(
    sequences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = core_of("three heads").float()
    assert_served_under_autocast(core, sequences, dnc_kernel, monkeypatch, error=0.05)


@pytest.mark.parametrize(
    "settings", [{"write_heads": 2}, {"sparse_links": 2}], ids=["two write heads", "sparse links"]
)
def test_unsupported_settings_run_in_python(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    core = DNC(SIZES, **settings).double()
    for operator in ("write", "step"):
        monkeypatch.setattr(dnc_kernel, operator, None)
    assert walk(core, steps=2).reads.isfinite().all()


def test_a_compiled_step_calls_the_kernel() -> None:
    assert_compiled_steps_call(core_of("three heads"), "dnc_kernel.step")


@pytest.mark.parametrize("name", ["write", "step"])
def test_they_pass_pytorchs_operator_checks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    core = core_of("three heads")
    take = core.write if name == "write" else core.write_and_read
    assert_is_an_operator(core, torch.ops.dnc_kernel, name, monkeypatch, take)


@pytest.mark.parametrize("sequences", [1, 16, 17])
def test_single_precision_and_wide_batches_agree_up_to_rounding(sequences: int) -> None:
    core = core_of("whole vectors")
    generator = torch.Generator().manual_seed(1)
    controls = torch.randn(4, sequences, SIZES.control, generator=generator).double()

    def reads_and_gradients(kind: torch.dtype) -> tuple[Tensor, ...]:
        twin = deepcopy(core).to(kind)
        state, found = twin.initial_state(sequences, controls.to(kind)), []
        for control in controls.to(kind):
            item = Items(control[:, None, :3], control[:, None, 3:], torch.ones(sequences, 1) > 0)
            reads, state, _ = twin.write_and_read(state, control, item)
            found.append(reads)
        loss = torch.stack(found).square().sum()
        return *found, *torch.autograd.grad(loss, tuple(twin.parameters()))

    with building.left_out():
        true = reads_and_gradients(torch.double)
    for ours, theirs in zip(reads_and_gradients(torch.float), true, strict=True):
        assert ours.dtype is torch.float
        assert (ours - theirs).abs().max() < 1e-4 * (1 + theirs.abs().max())


@pytest.mark.parametrize("size", [60.0, 1e4])
def test_raw_interfaces_may_be_large(size: float) -> None:
    assert_raw_interfaces_may_be_large(core_of("whole vectors"), size)


def test_nan_stays_in_its_sequence() -> None:
    core = core_of("three heads")
    control = torch.randn(2, SIZES.control).double()
    control[1, 0] = torch.nan
    items = Items(*(torch.randn(2, 1, size).double() for size in SIZES[1:3]), torch.ones(2, 1) > 0)
    reads, state, _ = core.write_and_read(core.initial_state(2, control), control, items)
    assert reads[0].isfinite().all() and state.memory[0].isfinite().all()
    assert reads[1].isnan().all() and state.memory[1].isnan().all()


@pytest.mark.parametrize("part", DNCState._fields)
def test_a_state_of_another_shape_is_refused(part: str) -> None:
    core = core_of("three heads")
    control = torch.randn(B, SIZES.control).double()
    items = Items(*(torch.randn(B, 1, size).double() for size in SIZES[1:3]), torch.ones(B, 1) > 0)
    state = core.initial_state(B, control)
    short = state._replace(**{part: getattr(state, part)[..., :-1]})
    with pytest.raises(RuntimeError, match="must be"):
        core.write_and_read(short, control, items)
