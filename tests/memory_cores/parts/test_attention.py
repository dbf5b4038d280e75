"""Every kind of attention against NumPy, masks, and the LSTM cells."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from memory_cores.parts.attention import (
    Attention,
    LaplaceAttention,
    Prepared,
    fused_attention,
    make_attention,
)
from memory_cores.parts.lstm import LSTMCell, SeparateLSTMCells
from tests.memory_cores import rmr_reference as reference
from tests.memory_cores.rmr_parameters import of_attention

KINDS = ("multihead", "dot_product", "laplace", "encoded_laplace", "uniform")
every_kind = pytest.mark.parametrize("kind", KINDS)
KEY, VALUE = 2, 6


def make(kind: Any, dtype: torch.dtype = torch.float64, heads: int = 4) -> Attention:
    torch.manual_seed(0)
    attention = make_attention(kind, KEY, VALUE, heads).to(dtype)
    for name, parameter in attention.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
    return attention


def inputs(
    *batch: int, queries: int = 3, points: int = 5, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw queries, keys, values and a mask; the first sequence has no real points."""
    torch.manual_seed(1)
    shapes = ((queries, KEY), (points, KEY), (points, VALUE))
    parts = (torch.randn(*batch, *shape).to(dtype) for shape in shapes)
    mask = torch.rand(*batch, points) < 0.7
    mask.flatten(0, -2)[0] = False
    return *parts, mask


@every_kind
@pytest.mark.parametrize("heads", [1, 4, 8])
@pytest.mark.parametrize("points", [0, 1, 5, 500])
def test_it_equals_the_reference(kind: str, heads: int, points: int) -> None:
    attention = make(kind, heads=heads)
    parameters = of_attention(kind, attention)
    queries, keys, values, mask = inputs(3, points=points)
    with torch.no_grad():
        found = attention(queries, keys, values, mask).numpy()
    for b in range(3):
        real = mask[b].numpy()
        items = list(zip(keys[b].numpy()[real], values[b].numpy()[real], strict=True))
        for m, query in enumerate(queries[b].numpy()):
            assert np.abs(found[b, m] - reference.attend(query, items, parameters)).max() < 1e-9


@every_kind
def test_two_halves_count_as_one_whole_and_share_zero_as_nothing(kind: str) -> None:
    attention = make(kind)
    queries, keys, values, mask = inputs(3)
    whole = attention.prepare(keys, values, mask)
    halves = Prepared.partly(
        *(torch.cat([part, part, part + 1], 1) for part in whole[:2]),
        share=torch.cat([mask * 0.25, mask * 0.75, mask * 0.0], 1).double(),
    )
    projected = attention.ask(queries)
    found, expected = attention.attend(projected, halves), attention.attend(projected, whole)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert not found[0].any()  # all of its shares are 0
    mixed = attention.mix(attention.weights(projected, halves), halves)
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize("points", [0, 5, 200])
def test_queries_that_see_different_parts_equal_the_reference(kind: str, points: int) -> None:
    """A fully masked query among others gets zeros and finite gradients."""
    attention, (queries, keys, values, mask) = make(kind), inputs(2, 2, points=points)
    parameters = of_attention(kind, attention)
    visible = (torch.rand(2, 2, 3, points) < 0.6) & mask.unsqueeze(2)
    visible[1, 1, 2] = False
    memory = attention.prepare(keys, values.requires_grad_(), mask)._replace(mask=visible)
    found = attention.attend(attention.ask(queries.requires_grad_()), memory)
    weights = attention.weights(attention.ask(queries), memory)
    torch.testing.assert_close(attention.mix(weights, memory), found)
    found.square().sum().backward()
    for leaf in (queries, values, *attention.parameters()):
        assert leaf.grad is None or leaf.grad.isfinite().all()
    assert queries.grad is None or (queries.grad[1, 1, 2] == 0).all()
    for b, t, m in np.ndindex(2, 2, 3):
        rows = visible[b, t, m].numpy()
        parts = (part[b, t].detach().numpy()[rows] for part in (keys, values))
        query = queries[b, t, m].detach().numpy()
        expected = reference.attend(query, list(zip(*parts, strict=True)), parameters)
        assert np.abs(found[b, t, m].detach().numpy() - expected).max() < 1e-9


@every_kind
def test_weights_give_the_reads(kind: str) -> None:
    attention, (queries, keys, values, mask) = make(kind), inputs(2, 3)
    memory, projected = attention.prepare(keys, values, mask), attention.ask(queries)
    weights = attention.weights(projected, memory)
    assert weights.shape == (2, 3, attention.heads, 3, 5)
    assert (weights.masked_select(~mask[:, :, None, None]) == 0).all()
    some = mask.any(-1).to(weights.dtype)[:, :, None, None].expand(weights.shape[:-1])
    torch.testing.assert_close(weights.sum(-1), some)
    torch.testing.assert_close(attention.mix(weights, memory), attention.attend(projected, memory))


@every_kind
def test_any_leading_dimensions_are_a_batch(kind: str) -> None:
    attention, parts = make(kind), inputs(2, 3, 2)
    together = attention(*parts)
    assert together.shape == (2, 3, 2, 3, VALUE)
    alone = attention(*(part[1, 2, :1] for part in parts))
    torch.testing.assert_close(together[1, 2, :1], alone)


@every_kind
def test_masked_rows_are_ignored_and_order_does_not_matter(kind: str) -> None:
    attention, (queries, keys, values, _) = make(kind), inputs(2)
    mask = torch.tensor([True, False, True, False, True]).expand(2, 5)
    expected, kept = attention(queries, keys, values, mask), [4, 0, 2]
    every = mask[:, kept]
    torch.testing.assert_close(attention(queries, keys[:, kept], values[:, kept], every), expected)


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("points", [0, 5])
def test_an_empty_set_reads_zero_with_zero_gradients(
    kind: str, dtype: torch.dtype, points: int
) -> None:
    attention, (*parts, mask) = make(kind, dtype), inputs(3, points=points, dtype=dtype)
    leaves = [part.requires_grad_() for part in parts]
    read = attention(*parts, mask)
    assert read.dtype == dtype and (read[0] == 0).all()
    if points:
        assert (read[1:] != 0).any()
    read.float().square().sum().backward()
    for leaf in leaves:
        assert leaf.grad is None or (leaf.grad.isfinite().all() and (leaf.grad[0] == 0).all())
    for parameter in attention.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


@every_kind
@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), 1e30])
def test_padding_changes_neither_values_nor_gradients(kind: str, rubbish: float) -> None:
    attention, (queries, keys, values, mask) = make(kind), inputs(3)

    def gradients(*parts: Tensor) -> list[Tensor]:
        leaves = [*attention.parameters(), *(part.requires_grad_() for part in parts)]
        read = attention(*parts, mask)
        found = torch.autograd.grad(read.square().sum(), leaves, allow_unused=True)
        return [read, *(gradient for gradient in found if gradient is not None)]

    hole = ~mask.unsqueeze(2)
    spoilt = (part.masked_fill(hole, rubbish) for part in (keys, values))
    clean = gradients(queries, keys, values)
    for ours, theirs in zip(gradients(queries, *spoilt), clean, strict=True):
        torch.testing.assert_close(ours, theirs)


@every_kind
def test_gradients_are_finite_differences(kind: str) -> None:
    attention, (*parts, mask) = make(kind), inputs(2)
    leaves = [part.requires_grad_() for part in parts]
    assert torch.autograd.gradcheck(lambda *leaves: attention(*leaves, mask), leaves)


@every_kind
def test_it_compiles_into_one_graph_and_runs_under_autocast(kind: str) -> None:
    attention, parts = make(kind, torch.float32), inputs(2, dtype=torch.float32)
    torch.compiler.reset()
    compiled = torch.compile(attention, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*parts), attention(*parts))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = attention(*parts)
    torch.testing.assert_close(rounded.float(), attention(*parts), rtol=0.05, atol=0.02)
    assert make(kind, torch.float32).to("meta")(*(part.to("meta") for part in parts)).is_meta


def test_fused_attention_only_rounds_its_inputs_and_result() -> None:
    """Weights in bfloat16 would have an error of 2^-9 each; here only the result has one."""
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 4, 30, 8).bfloat16()
    visible = torch.rand(2, 1, 30, 30) < 0.5
    found = fused_attention(queries, keys, values, visible)
    scores = queries.double() @ keys.double().mT / 8**0.5
    exact = scores.masked_fill(~visible, -torch.inf).softmax(-1) @ values.double()
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=2**-14)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("multihead", 16_768 + 65_536),
        ("dot_product", 16_768),
        ("encoded_laplace", 16_768),
        ("laplace", 0),
        ("uniform", 0),
    ],
)
def test_the_papers_parameters(kind: Any, count: int) -> None:
    """One shared MLP 1-128-128; 8 heads of 16 without biases."""
    attention = make_attention(kind, 1, 128)
    assert sum(p.numel() for p in attention.parameters()) == count


def test_laplace_falls_to_one_over_e_at_its_scale() -> None:
    attention = LaplaceAttention(1, 1, scale=2.0)
    keys, mask = torch.tensor([[0.0], [2.0]]), torch.tensor([True, True])
    weights = attention.weights(torch.zeros(1, 1), attention.prepare(keys, keys, mask))
    torch.testing.assert_close(weights[0, 0, 1] / weights[0, 0, 0], torch.tensor(-1.0).exp())


# LSTM cells -------------------------------------------------------------------------------------


def test_an_lstm_cell_equals_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = LSTMCell(3, 4), nn.LSTMCell(3, 4)
    i, f, o, g = ours.gates.weight.chunk(4)
    weight = torch.cat([i, f, g, o])
    with torch.no_grad():
        theirs.weight_ih.copy_(weight[:, :3])
        theirs.weight_hh.copy_(weight[:, 3:])
        theirs.bias_hh.zero_()
        theirs.bias_ih.zero_()[4:8] = 1  # the forget gate's
    inputs, hidden, cell = torch.randn(5, 3), torch.randn(5, 4), torch.randn(5, 4)
    for pair in zip(
        ours(hidden, cell, *inputs.split([1, 2], 1)), theirs(inputs, (hidden, cell)), strict=True
    ):
        torch.testing.assert_close(*pair)


def test_a_whole_sequence_is_the_steps_one_by_one() -> None:
    cell, inputs = LSTMCell(3, 4).double(), torch.randn(2, 5, 3, dtype=torch.float64)
    hidden = state = torch.zeros(2, 4, dtype=torch.float64)
    for t in range(5):
        hidden, state = cell(hidden, state, inputs[:, t])
        torch.testing.assert_close(cell.unroll(inputs)[:, t], hidden)
    assert torch.autograd.gradcheck(cell.unroll, inputs.requires_grad_())


@pytest.mark.parametrize("train", [True, False])
def test_one_call_is_the_loop(train: bool) -> None:
    cell, inputs = LSTMCell(3, 4).double().train(train), torch.randn(2, 5, 3, dtype=torch.float64)
    nn.init.normal_(cell.gates.bias)
    found = [unroll(inputs.requires_grad_()) for unroll in (cell._in_one_call, cell._as_loop)]
    torch.testing.assert_close(*found)
    leaves = [inputs, *cell.parameters()]
    gradients = [torch.autograd.grad(hidden.square().sum(), leaves) for hidden in found]
    for pair in zip(*gradients, strict=True):
        torch.testing.assert_close(*pair)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = cell.float().unroll(inputs.detach().float())
    torch.testing.assert_close(rounded.double(), found[0], rtol=0.05, atol=0.05)


def test_separate_cells_with_equal_weights_are_one_cell() -> None:
    torch.manual_seed(0)
    shared, separate = LSTMCell(3, 4), SeparateLSTMCells(6, 3, 4)
    with torch.no_grad():
        separate.weight.copy_(shared.gates.weight.T.expand(6, -1, -1))
    parts = torch.randn(5, 6, 4), torch.randn(5, 6, 4), torch.randn(5, 6, 3)
    for pair in zip(separate(*parts), shared(*parts), strict=True):
        torch.testing.assert_close(*pair)
    one = SeparateLSTMCells(6, 3, 4)
    assert not torch.allclose(one.weight[0], one.weight[1])
    assert one.bias[3, 0].tolist() == [0] * 4 + [1] * 4 + [0] * 8
