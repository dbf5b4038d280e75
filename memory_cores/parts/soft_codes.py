"""Soft codes of keys, each spread over a few of D places, for associative maps.

A map that is linear in its keys stores as many pairs as its keys have independent directions, and
similar keys interfere. A softmax over D centres is nearly one-hot: distant keys get places of their
own. A code is the square root of these shares, so that its length is 1.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.kernels import building
from memory_cores.kernels.soft_codes import soft_codes
from memory_cores.parts.associative import STEADY
from memory_cores.parts.clock import centre, turned
from memory_cores.parts.hand_attention import LENGTH, hands_at
from memory_cores.parts.solving import exactly

#: Log ratio of a centre's share at its own step to that one step away.
STEP_LOG_RATIO = 10.0
#: Gain of centres by content, for key entries of about 1/3.
CENTRE_GAIN = 16.0


class SoftCodes(nn.Module):
    """Square roots of a softmax of linear scores, per head, and raw gates of the same input.

    Args:
        size: width I of keys.
        heads: number of heads H.
        places: places D of a code.
        gates: number of gates G.
    """

    def __init__(self, size: int, heads: int, places: int, gates: int = 0) -> None:
        super().__init__()
        self.heads, self.places = heads, places
        self.parts = [heads * places, gates]
        self.scores = nn.Linear(size, sum(self.parts))

    def forward(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes [..., H, D] of keys [..., I], of length 1, and gates [..., G].

        Not lowered by autocast: scores are small differences of large numbers.
        """
        keys = keys.to(self.scores.weight.dtype)
        if building.serve(keys, self.scores.weight):
            return soft_codes(keys, self.scores, self.heads, self.places)
        with exactly(keys):
            scores, gates = self.scores(keys).split(self.parts, -1)
        shares = scores.unflatten(-1, (self.heads, self.places)).log_softmax(-1)
        return (shares / 2).exp(), gates

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """Weight [H D, I] and bias [H D] of the codes' scores."""
        weight, bias = self.scores.weight.detach(), self.scores.bias.detach()
        return weight[: self.parts[0]], bias[: self.parts[0]]

    @torch.no_grad()
    def start_gates(self, raw: float) -> None:
        """Start with raw gates close to this value for every key."""
        self.scores.weight[self.parts[0] :] *= STEADY
        self.scores.bias[self.parts[0] :] = raw

    @torch.no_grad()
    def start_at_places(self, reach: float) -> None:
        """Spread Gaussian centres over keys from -reach to reach.

        A centre's code falls to 1 / e at the next centre. Each further head is twice as wide.
        """
        size, (weight, bias) = self.scores.in_features, self.rows
        centres = torch.empty(self.heads * self.places, size).uniform_(-reach, reach)
        if size == 1:
            for rows in centres.split(self.places):
                rows.copy_(torch.linspace(-reach, reach, self.places).unsqueeze(1))
        gap = 2 * reach / self.places ** (1 / size)
        gaps = gap * 2.0 ** torch.arange(self.heads).repeat_interleave(self.places).unsqueeze(1)
        weight.copy_(4 * centres / gaps**2)
        bias.copy_(-2 * (centres / gaps).square().sum(1))

    @torch.no_grad()
    def start_comparing(
        self, looks: Sequence[float | Tensor], steps: int, clock: Sequence[float]
    ) -> None:
        """Compare keys by their time or by their content.

        Args:
            looks: for each head, how many steps before its key's time it looks; or the directions
                [D, I], standard normal, along which it compares keys without their hands.
            steps: length T of a sequence.
            clock: periods of the P hands with which keys begin, in steps.
        """
        hands, middle = 2 * len(clock), centre(clock)
        timed = _centres_in_time(self.places, steps, clock)
        rows = (part.split(self.places) for part in self.rows)
        for weight, bias, look in zip(*rows, looks, strict=True):
            weight.zero_(), bias.zero_()
            if isinstance(look, Tensor):
                content = look[:, hands:]
                weight[:, hands:] = CENTRE_GAIN * content / content.shape[1] ** 0.5
                continue
            weight[:, :hands] = timed @ turned(clock, -look)
            bias.copy_(-weight[:, :hands] @ middle)


def _centres_in_time(places: int, steps: int, clock: Sequence[float]) -> Tensor:
    """Spread centres [D, 2 P] over the times of a sequence, encoded by the hands of a clock."""
    if not clock:
        return torch.zeros(places, 0)
    # Whole times, unless there are fewer than places, which must not start alike.
    if places > steps:
        times = [place * steps / places for place in range(places)]
    else:
        gap = (steps - 1) / max(places - 1, 1)
        times = [round(place * gap) for place in range(places)]
    ends = (hands_at(times, clock) - centre(clock)).unflatten(1, (-1, 2))
    angles = 2 * torch.pi / torch.tensor(clock)
    gain = STEP_LOG_RATIO / (LENGTH * (1 - angles.cos()).sum())
    return gain * F.normalize(ends, dim=2).flatten(1)
