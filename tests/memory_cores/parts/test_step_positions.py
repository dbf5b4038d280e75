"""Positions of steps: scores depend only on the distance between steps."""

import math

import pytest
import torch
from torch import Tensor

from memory_cores.parts.step_positions import PositionKind, StepPositions, best

H, E = 4, 8


def scores(positions: StepPositions, queries: Tensor, keys: Tensor, t: int, s: int) -> Tensor:
    """Return scores [H] of queries [H, E] in step t and keys in step s."""
    queries = positions.in_queries(queries[None], torch.tensor([t]))
    keys = positions.in_keys(keys[None], torch.tensor([s]))
    return (queries * keys).sum(2)[0] / queries.shape[2] ** 0.5


@pytest.mark.parametrize("kind", ["rotary", "alibi"])
def test_steps_may_be_counted_from_anywhere(kind: PositionKind) -> None:
    """With ALiBi a shift adds the same number to all scores, which cancels in the weights."""
    torch.manual_seed(0)
    positions = StepPositions(kind, H, E, 20)
    queries, keys = torch.randn(H, E).double(), torch.randn(3, H, E).double()
    weights = [
        torch.stack(
            [scores(positions, queries, key, start + 6, start + s) for s, key in enumerate(keys)]
        ).softmax(0)
        for start in (0, 11, -6)
    ]
    torch.testing.assert_close(weights[1], weights[0])
    torch.testing.assert_close(weights[2], weights[0])
    stretched = [scores(positions, queries, key, 6, 2 * s) for s, key in enumerate(keys)]
    assert not torch.allclose(torch.stack(stretched).softmax(0), weights[0])


def test_alibi_is_a_slope_for_each_head() -> None:
    positions = StepPositions("alibi", H, E, 20)
    queries, keys = torch.randn(H, E).double(), torch.randn(H, E).double()
    plain = (queries * keys).sum(1) / math.sqrt(E)
    slopes = torch.tensor([1 / 4, 1 / 16, 1 / 64, 1 / 256]).double()
    torch.testing.assert_close(scores(positions, queries, keys, 0, -5), plain - 5 * slopes)


def test_alibi_tells_late_steps_apart_in_bfloat16() -> None:
    """Without the remainder, steps 257 and 258 have the same score in half of the heads."""
    positions = StepPositions("alibi", H, E, 1000)
    codes = torch.zeros(H, E, dtype=torch.bfloat16)
    slopes = torch.tensor([1 / 4, 1 / 16, 1 / 64, 1 / 256]).double()
    for step in (257, 258, 999):
        key = positions.in_keys(codes[None], torch.tensor([step]))
        query = positions.in_queries(codes[None], torch.tensor([0]))
        score = (query.double() * key.double()).sum(2)[0] / query.shape[2] ** 0.5
        torch.testing.assert_close(score, step * slopes, rtol=2e-3, atol=0)


def test_rotary_positions_turn_half_of_a_code_and_keep_its_length() -> None:
    positions = StepPositions("rotary", H, E, 20)
    code = torch.randn(1, H, E).double()
    turned = positions.in_keys(code, torch.tensor([3]))
    assert torch.equal(turned[..., 4:], code[..., 4:])
    assert (turned[..., :4] - code[..., :4]).abs().min() > 1e-3
    torch.testing.assert_close(turned.norm(dim=2), code.norm(dim=2))
    assert torch.equal(positions.in_queries(code), code)
    # A fast pair, and one with a period longer than a sequence.
    periods = 2 * torch.pi / positions.rates(torch.float64)
    torch.testing.assert_close(periods, torch.tensor([7.2, 64.0]).double())


def test_a_head_too_narrow_for_a_pair_ignores_steps() -> None:
    assert not StepPositions("rotary", 1, 3, 9).tell_steps
    assert (
        StepPositions("rotary", 1, 4, 9).tell_steps and StepPositions("alibi", 1, 1, 9).tell_steps
    )


def test_best_keeps_visible_entries_with_the_highest_scores_and_ties() -> None:
    scores = torch.tensor([[3.0, 9.0, 1.0, 3.0, 2.0], [5.0, 9.0, 4.0, 3.0, 2.0]])
    mask = torch.tensor([[True, False, True, True, True], [False, False, False, True, False]])
    assert best(scores, mask, 1).tolist() == [[True, False, False, True, False], mask[1].tolist()]
    assert torch.equal(best(scores, mask, 3)[0], torch.tensor([True, False, False, True, True]))
    assert best(scores, mask, None) is mask and best(scores, mask, 5) is mask


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="positions must be one of .*alibi.*, got 'sine'"):
        StepPositions("sine", 1, 4, 9)  # type: ignore[arg-type]
