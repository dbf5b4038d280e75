"""Soft codes of keys: each is spread over a few of D places, so that maps of codes are memories.

A map that is linear in its keys holds as many pairs as its keys have independent directions, and
keys that are alike disturb each other. A softmax over D centres is nearly one-hot: what lies apart
gets places of its own.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memory_cores.parts.clock import centre, turned
from memory_cores.parts.hand_attention import hands_at

#: Exponent by which a step beside a centre's is less than that step.
SHARP = 5.0
#: Gain of centres by content, for entries of about 1/3.
CONTENT_GAIN = 8.0


class SoftCodes(nn.Module):
    """A softmax of linear scores for each of H heads.

    Args:
        size: width I of keys.
        heads: number of heads H.
        places: places D of a code.
    """

    def __init__(self, size: int, heads: int, places: int) -> None:
        super().__init__()
        self.heads, self.places = heads, places
        self.scores = nn.Linear(size, heads * places)

    def forward(self, keys: Tensor) -> Tensor:
        """Return codes [..., H, D] of keys [..., I]; not negative, and each sums to 1."""
        return self.scores(keys).unflatten(-1, (self.heads, self.places)).softmax(-1)

    @torch.no_grad()
    def start_at_places(self, reach: float) -> None:
        """Spread centres over keys from -reach to reach; nearness is a Gaussian's.

        A centre beside another has 1 / e of its weight where the other's is highest; of each
        further head's centres, where the other's is half as near.
        """
        size = self.scores.in_features
        centres = torch.empty(self.heads * self.places, size).uniform_(-reach, reach)
        if size == 1:
            for rows in centres.split(self.places):
                rows.copy_(torch.linspace(-reach, reach, self.places).unsqueeze(1))
        gap = 2 * reach / self.places ** (1 / size)
        gaps = gap * 2.0 ** torch.arange(self.heads).repeat_interleave(self.places).unsqueeze(1)
        self.scores.weight.copy_(2 * centres / gaps**2)
        self.scores.bias.copy_(-(centres / gaps).square().sum(1))

    @torch.no_grad()
    def start_at_times(
        self, lags: Sequence[float | None], steps: int, clock: Sequence[float], seed: Tensor
    ) -> None:
        """Spread centres over the times of a sequence, as the hands of a clock show them.

        Args:
            lags: for each head, how many steps before its key's time it asks for; None for a head
                that compares all of a key but its hands.
            steps: length T of a sequence.
            clock: periods of the P hands with which keys begin, in steps.
            seed: [D, I], standard normal: the directions of heads without a lag.
        """
        hands = 2 * len(clock)
        gap = (steps - 1) / max(self.places - 1, 1)
        times = [round(place * gap) for place in range(self.places)]
        middle = centre(clock)
        ends = (hands_at(times, clock) - middle).unflatten(1, (-1, 2))
        ends = F.normalize(ends, dim=2).flatten(1)
        angles = 2 * torch.pi / torch.tensor(clock)
        gain = SHARP / (0.4 * (1 - angles.cos()).sum())
        rows = self.scores.weight.split(self.places), self.scores.bias.split(self.places)
        for weight, bias, lag in zip(*rows, lags, strict=True):
            weight.zero_(), bias.zero_()
            if lag is None:
                weight[:, hands:] = CONTENT_GAIN * seed[:, hands:] / (len(seed[0]) - hands) ** 0.5
                continue
            weight[:, :hands] = gain * ends @ turned(clock, -lag)
            bias.copy_(-weight[:, :hands] @ middle)
