"""Padding has no effect, whatever its content, and no rows."""

import pytest
import torch
from torch import Tensor, nn

from memory_cores.parts.real_points import RealPoints, of_points

MASKS = {
    "ragged": [[[1, 1, 0], [0, 0, 0]], [[1, 0, 1], [1, 1, 1]]],
    "all real": [[[1, 1], [1, 1]]],
    "none real": [[[0, 0], [0, 0]]],
    "no points": [[[], []]],
}
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def points_of(mask: list[list[list[int]]]) -> tuple[Tensor, Tensor]:
    """Random points [B, T, N, 4] with NaN in padding, and the mask."""
    real = torch.tensor(mask, dtype=torch.bool)
    torch.manual_seed(0)
    points = torch.randn(*real.shape, 4, dtype=torch.float64)
    return points.masked_fill(~real.unsqueeze(-1), torch.nan), real


@every_mask
def test_rows_are_the_real_points_and_go_back_to_their_places(mask: list[list[list[int]]]) -> None:
    points, real = points_of(mask)
    sets = RealPoints(real)
    rows = sets.rows(points)
    assert rows.isfinite().all()
    torch.testing.assert_close(rows.reshape(-1, 4), points[real])
    torch.testing.assert_close(sets.padded(rows), points.nan_to_num(0))


@every_mask
def test_sums_are_of_each_set(mask: list[list[list[int]]]) -> None:
    points, real = points_of(mask)
    sets = RealPoints(real)
    torch.testing.assert_close(sets.sums(sets.rows(points)), points.nan_to_num(0).sum(2))
    assert sets.numbers().tolist() == [[[sum(row)] for row in rows] for rows in mask]


@every_mask
def test_gradients_are_those_of_the_real_points(mask: list[list[list[int]]]) -> None:
    points, real = points_of(mask)
    sets, leaf = RealPoints(real), points.nan_to_num(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sets.padded(sets.rows(x).sin()), (leaf,))
    assert torch.autograd.gradcheck(lambda x: sets.sums(sets.rows(x).sin()), (leaf,))


@every_mask
def test_computed_padding_is_masked_afterwards(
    mask: list[list[list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    points, real = points_of(mask)
    monkeypatch.setattr("memory_cores.parts.real_points.packs", lambda mask: False)  # as on a GPU
    sets = RealPoints(real)
    assert sets.rows(points) is points
    torch.testing.assert_close(sets.padded(sets.rows(points)), points.nan_to_num(0))
    torch.testing.assert_close(sets.sums(sets.rows(points)), points.nan_to_num(0).sum(2))
    assert of_points(torch.sin, points, sets).shape == points.shape


def test_a_map_of_points_sees_no_padding() -> None:
    points, real = points_of(MASKS["ragged"])
    layer, shapes = nn.Linear(4, 2).double(), []
    layer.register_forward_hook(lambda module, inputs, output: shapes.append(inputs[0].shape))
    found = of_points(layer, points, RealPoints(real))
    assert shapes == [(7, 4)]
    assert (found[~real] == 0).all()
    torch.testing.assert_close(found[real], of_points(layer, points, None)[real])
