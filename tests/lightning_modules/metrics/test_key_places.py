"""Planted keys: those that follow a picture, stand still, move by themselves, or lie at walls."""

import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.key_places import key_measurements


@pytest.fixture
def centres() -> Tensor:
    """Places of a centre at 2,000 moments, [N, 2]; its rows spread more than its columns."""
    torch.manual_seed(0)
    return torch.rand(2000, 2) * torch.tensor([0.8, 0.3]) - 0.2


def measured(keys: list[Tensor], centres: Tensor) -> dict[str, float]:
    found = key_measurements(torch.stack(keys, 1), centres)
    return {name: value.item() for name, value in found.items()}


def test_keys_that_keep_their_distance_follow_exactly(centres: Tensor) -> None:
    found = measured([centres + torch.tensor([0.3, -0.1]), centres], centres)
    assert found["key_r2"] == pytest.approx(1) and found["key_r2_best"] == pytest.approx(1)
    assert found["key_gain_best"] == pytest.approx(1) and found["keys_at_walls"] == 0


def test_keys_that_stand_still_or_move_alone_follow_nothing(centres: Tensor) -> None:
    still = torch.full_like(centres, 0.5)
    # Rounding errors, however they correlate with the centre, are no moves.
    trembling = still + 1e-3 * centres
    alone = torch.randn_like(centres)
    assert measured([still, trembling], centres)["key_r2_best"] == 0
    # Two coefficients fit 2 of 2,000 values by accident.
    assert measured([alone], centres)["key_r2_best"] == pytest.approx(0, abs=0.005)


def test_r2_is_the_share_of_a_keys_variance_that_the_centre_explains(centres: Tensor) -> None:
    """Half of the moves and noise of variance s^2: by the formula, for both coordinates."""
    noise = 0.1 * torch.randn_like(centres)
    found = measured([0.5 * centres + noise, torch.zeros_like(centres)], centres)
    moves, spread = 0.25 * centres.var(0).sum(), noise.var(0).sum()
    assert found["key_r2_best"] == pytest.approx((moves / (moves + spread)).item(), abs=0.02)
    assert found["key_r2"] == pytest.approx(found["key_r2_best"] / 2)
    assert found["key_gain_best"] == pytest.approx(0.5, abs=0.03)


def test_a_key_that_moves_by_the_other_coordinate_has_no_gain(centres: Tensor) -> None:
    found = measured([centres.flip(1)], centres)
    assert found["key_r2_best"] == pytest.approx(1), "its place follows from the centre's"
    assert found["key_gain_best"] == pytest.approx(0, abs=1e-6), "but it does not move with it"


def test_keys_at_walls_are_counted_on_both_sides(centres: Tensor) -> None:
    """In the largest coordinate: 0.95 and 1.08 are within 0.1 of 1, 0.85 and 1.2 are not."""
    places = [[0.95, 0.0], [-0.3, -1.08], [0.85, -0.2], [0.5, 1.2], [0.0, 0.0]]
    keys = [torch.tensor(place).expand_as(centres) for place in places]
    assert measured(keys, centres)["keys_at_walls"] == pytest.approx(0.4)


def test_a_picture_that_stands_still_is_followed_by_none() -> None:
    assert key_measurements(torch.rand(5, 3, 2), torch.full((5, 2), 0.25)) == {}
