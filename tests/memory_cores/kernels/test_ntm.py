"""The C++ operator against the Python version of `NTM.write` and `NTM.read`, step by step."""

import pytest
import torch

from memory_cores import NTM, MemoryCore
from memory_cores.kernels import ntm as ntm_kernel
from tests.memory_cores.kernels.walking import (
    SIZES,
    B,
    assert_compiled_steps_call,
    assert_is_an_operator,
    assert_raw_interfaces_may_be_large,
    assert_same_walk,
    assert_served_under_autocast,
    ones,
    with_large_weights,
)

#: Slots, words, read heads and write heads.
SHAPES = {"one head": (6, 5, 1, 1), "two write heads": (5, 4, 3, 2), "one slot": (1, 2, 2, 1)}
SHAPES |= {"more heads than a vector has": (9, 6, 11, 9), "whole vectors": (34, 33, 2, 1)}
pytestmark = pytest.mark.operators


def core_of(shape: str) -> MemoryCore:
    torch.manual_seed(0)
    slots, words, reading, writing = SHAPES[shape]
    core = NTM(SIZES, slots=slots, word_size=words, read_heads=reading, write_heads=writing)
    return with_large_weights(core)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_walk_and_its_gradients_are_the_same(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_walk(core_of(shape), ntm_kernel, "step", monkeypatch, unseen=("written",))


@pytest.mark.parametrize("sequences", [3, 17])
def test_it_serves_a_memory_in_single_precision_under_autocast(
    sequences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = core_of("whole vectors").float()
    with torch.no_grad():  # sharp heads would move with the rounding of a key
        for parameter in core.parameters():
            parameter.mul_(0.3)
    assert_served_under_autocast(core, sequences, ntm_kernel, monkeypatch, error=0.1)


def test_a_compiled_step_calls_it() -> None:
    assert_compiled_steps_call(core_of("whole vectors"), "ntm_kernel.step")


def test_it_passes_pytorchs_operator_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    core = core_of("whole vectors")
    assert_is_an_operator(core, torch.ops.ntm_kernel, "step", monkeypatch, core.write_and_read)


@pytest.mark.parametrize("size", [60.0, 1e4])
def test_raw_interfaces_may_be_large(size: float) -> None:
    # In Python, too, single precision is off by 8e-4: all heads are sharp.
    assert_raw_interfaces_may_be_large(core_of("whole vectors"), size, error=2e-3)


def test_tensors_of_other_shapes_are_refused() -> None:
    core, control = core_of("one head"), torch.zeros(B, SIZES.control).double()
    state = core.initial_state(B, control)
    with pytest.raises(RuntimeError, match="norms must be \\[3, 6\\] and contiguous"):
        core.write_and_read(state._replace(norms=state.norms[:, :5]), control, ones())


def test_models_that_read_by_query_run_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntm_kernel, "step", None)
    core, control = NTM(SIZES._replace(query=3)).double(), torch.zeros(B, SIZES.control).double()
    reads, *_ = core.write_and_read(core.initial_state(B, control), control, ones())
    assert reads.shape == (B, 0)
