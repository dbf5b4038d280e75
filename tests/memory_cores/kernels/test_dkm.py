"""A DKM's operators against its Python version, which test_dkm.py checks by exact conditioning."""

import pytest
import torch
from torch import Tensor

from memory_cores import DKM, Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels.dkm import complete, condition
from tests.memory_cores.kernels.spying import spied

pytestmark = pytest.mark.operators
B, H, N, V, M = 3, 2, 9, 4, 5
GAIN = 4.0


def drawn(seed: int = 0) -> tuple[Tensor, ...]:
    """Draw R, U, codes, values and noise, one word per memory."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.double, generator=generator)

    roots = normal(B, H, N, N)
    covariance = roots @ roots.mT / N + torch.eye(N)
    noise = 0.1 + normal(H).square()
    return normal(B, H, N, N + V), covariance, normal(B, H, N), normal(B, V), noise


def conditioned(
    mean: Tensor, covariance: Tensor, codes: Tensor, values: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    present = mean.new_tensor([1.0, 0.0, 1.0])
    return condition(mean, covariance, codes, values, present, noise, GAIN)


def test_gradients_of_a_step_are_finite_differences() -> None:
    inputs = tuple(part.requires_grad_() for part in drawn())
    assert torch.autograd.gradcheck(conditioned, inputs)


def test_gradients_of_completions_are_finite_differences() -> None:
    mean, _, _, _, noise = drawn()
    queries = torch.randn(B, H, M, N, dtype=torch.double)
    inputs = tuple(part.requires_grad_() for part in (mean, queries, noise))
    assert torch.autograd.gradcheck(lambda *parts: complete(*parts, GAIN), inputs)


def test_without_a_word_nothing_changes() -> None:
    mean, covariance, *word = drawn()
    after, narrowed = conditioned(mean, covariance, *word)
    assert torch.equal(after[1], mean[1]) and torch.equal(narrowed[1], covariance[1])
    assert not torch.equal(after[0], mean[0]) and not torch.equal(narrowed[2], covariance[2])


@pytest.mark.parametrize("slots", [1, 7, 8, 25])
@pytest.mark.parametrize("query", [0, 6])
def test_steps_and_reads_are_those_of_python(slots: int, query: int) -> None:
    torch.manual_seed(slots)
    core = DKM(MemorySizes(control=5, key=6, value=V, steps=6, query=query), slots).double()
    controls = torch.randn(B, 6, 5).double()
    mask = torch.ones(B, 6, 1).bool().index_fill(1, torch.tensor([2]), value=False)
    items = Items(torch.randn(B, 6, 1, 6).double(), torch.randn(B, 6, 1, V).double(), mask)
    queries = torch.randn(B, 6, M, 6).double()

    def results() -> list[Tensor]:
        if query:
            recollections = core.unroll(controls, items)
            outputs = [core.lookup(recollections.snapshot, queries), recollections.total]
        else:
            state, reads = core.initial_state(B, controls), []
            for step in zip(*(part.unbind(1) for part in (controls, *items)), strict=True):
                read, state, _ = core.write_and_read(state, step[0], Items(*step[1:]))
                reads.append(read)
            outputs = [torch.stack(reads), state.mean, state.covariance]
        loss = sum(output.sin().sum() for output in outputs)
        used = [weight for weight in core.parameters() if weight.requires_grad]
        return outputs + list(torch.autograd.grad(loss, used, allow_unused=True))

    ours = results()
    with building.left_out():
        theirs = results()
    for found, true in zip(ours, theirs, strict=True):
        assert (found is None) == (true is None)
        if found is not None:
            torch.testing.assert_close(found, true, rtol=1e-9, atol=1e-11)


def test_a_core_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Tensor, ...]] = []
    for name in ("condition", "complete"):
        operator = getattr(torch.ops.dkm_kernel, name)
        monkeypatch.setattr(torch.ops.dkm_kernel, name, spied(operator, calls))
    core = DKM(MemorySizes(control=4, key=3, value=2, steps=5))
    item = Items(torch.randn(2, 1, 3), torch.randn(2, 1, 2), torch.ones(2, 1) > 0)
    core.write_and_read(core.initial_state(2, item.keys), torch.randn(2, 4), item)
    assert len(calls) == 2


def test_they_are_traced_where_a_graph_is_compiled() -> None:
    inputs = tuple(part.requires_grad_() for part in drawn())

    def loss(*parts: Tensor) -> Tensor:
        mean, covariance = conditioned(*parts)
        return complete(mean, parts[2].unsqueeze(2), parts[4], GAIN).sum() + covariance.sin().sum()

    traced = torch.compile(loss, fullgraph=True, backend="aot_eager")
    ours, theirs = (torch.autograd.grad(way(*inputs), inputs) for way in (traced, loss))
    for found, true in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, true)
