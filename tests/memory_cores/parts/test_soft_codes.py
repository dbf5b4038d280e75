"""Initial centres of soft codes: Gaussians over places, and times of a sequence."""

from math import e, exp

import pytest
import torch
from torch import Tensor

from memory_cores.parts.hand_attention import hands_at
from memory_cores.parts.soft_codes import SoftCodes
from tests.memory_cores.parts.test_associative import SIZES, UNITS

CLOCK = SIZES.clock
REACH, PLACES = 2.0, 101


def test_the_code_of_a_centre_falls_to_1_over_e_at_the_next_centre() -> None:
    """Centres are 2 reach / (D - 1) apart, and as wide as 2 reach / D; the second head's, twice."""
    codes = SoftCodes(1, 2, PLACES)
    codes.start_at_places(REACH)
    centres = torch.linspace(-REACH, REACH, PLACES)
    found = codes(centres.unsqueeze(1))[0].detach()
    own, following = (found.diagonal(offset, 0, 2) for offset in (0, 1))
    ratios = following / own[:, :-1]
    torch.testing.assert_close(ratios[0], torch.full((100,), 1 / e), atol=0.01, rtol=0)
    torch.testing.assert_close(ratios[1], torch.full((100,), exp(-1 / 4)), atol=0.01, rtol=0)


@pytest.mark.parametrize("size", [1, 2])
def test_the_nearest_centre_has_the_largest_share(size: int) -> None:
    codes = SoftCodes(size, 2, 25)
    torch.manual_seed(0)
    codes.start_at_places(REACH)
    torch.manual_seed(0)
    centres = torch.empty(2, 25, size).uniform_(-REACH, REACH)
    if size == 1:
        centres[:] = torch.linspace(-REACH, REACH, 25).unsqueeze(1)
    keys = 2 * REACH * torch.rand(200, size) - REACH
    nearest = torch.cdist(keys, centres).argmin(2).mT
    assert (codes(keys)[0].argmax(2) == nearest).all()


def timed(places: int, steps: int, lag: float = 0.0) -> SoftCodes:
    codes = SoftCodes(UNITS, 1, places)
    codes.start_comparing([lag], steps, CLOCK)
    return codes


def log_shares(codes: SoftCodes, times: list[float]) -> Tensor:
    """Return the log shares [N, D] of keys at N times, whose other units are noise."""
    keys = torch.cat([hands_at(times, CLOCK), torch.randn(len(times), UNITS - 16)], 1)
    return 2 * codes(keys)[0][:, 0].detach().log()


def test_a_step_away_from_a_time_the_log_share_is_lower_by_ten() -> None:
    """In the mean; hands turn at somewhat different speeds at first."""
    shares = log_shares(timed(15, 15), [*range(15)])
    lower = [
        shares.diagonal()[:-1] - shares.diagonal(1),
        shares.diagonal()[1:] - shares.diagonal(-1),
    ]
    assert torch.cat(lower).mean() == pytest.approx(10, abs=0.5)
    torch.testing.assert_close(torch.cat(lower), torch.full((28,), 10.0), atol=4, rtol=0)


def test_few_places_spread_over_whole_steps() -> None:
    times = [0, 3, 5, 8, 11, 13, 16, 19, 21, 24]
    shares = log_shares(timed(10, 25), times).exp()
    assert (shares.diagonal() > 0.99).all()


def test_a_head_with_a_lag_looks_at_an_earlier_time() -> None:
    shares = log_shares(timed(15, 15, lag=4.0), [*range(4, 15)])
    assert shares.argmax(1).tolist() == [*range(11)]


@pytest.mark.parametrize(("places", "steps"), [(50, 25), (26, 25), (3, 1)])
def test_more_places_than_steps_lie_between_steps(places: int, steps: int) -> None:
    """Training would not separate places that start alike."""
    codes = timed(places, steps)
    shares = log_shares(codes, [place * steps / places for place in range(places)])
    assert shares.argmax(1).tolist() == [*range(places)]
    assert len(codes.scores.weight.unique(dim=0)) == places
