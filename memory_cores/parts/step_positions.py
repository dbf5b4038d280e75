"""Positions of steps in an attention: ALiBi (Press et al. 2022) or rotary (Su et al. 2021).

Either adds the distance in steps to a score of queries and keys of width E:

    ALiBi:  q^T k / sqrt(E) - m_h (t - s),   m_h = 2^(-8 h / H) for heads h = 1 to H
    rotary: (R_t q)^T (R_s k) / sqrt(E),     R_t turns pairs of entries by t steps' angles

Since only t - s counts, steps may be counted from anywhere, from the present one back, too.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from memory_cores.parts.clock import FASTEST, SLOWEST

PositionKind = Literal["rotary", "alibi"]


class StepPositions(nn.Module):
    """Gives keys and queries of H heads positions, so that products of E' entries have both.

    The scores are q'^T k' / sqrt(E'). Rotary positions turn the first half of the entries, whose
    periods are spread from ``FASTEST`` steps to more than a sequence; the others tell contents
    apart, whatever the step. ALiBi's are one entry more.

    Args:
        kind: of the positions.
        heads: number of heads H.
        width: width E of a head.
        steps: length T of a sequence.

    Raises:
        ValueError: there is no such kind.
    """

    def __init__(self, kind: PositionKind, heads: int, width: int, steps: int) -> None:
        if kind not in get_args(PositionKind):
            raise ValueError(f"positions must be one of {get_args(PositionKind)}, got {kind!r}")
        super().__init__()
        self.kind, self.heads, self.width = kind, heads, width
        #: Number P of pairs that are turned.
        self.pairs = width // 4 if kind == "rotary" else 0
        #: Longest period, in steps. It is kept with the weights, which suit no other.
        self.slowest = max(SLOWEST * steps, 2 * FASTEST)

    def get_extra_state(self) -> Tensor:
        """Return what the weights of a checkpoint go with."""
        return torch.tensor(self.slowest, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Take it from a checkpoint, whatever the length of sequences is now."""
        self.slowest = float(state)

    @property
    def tell_steps(self) -> bool:
        """Tell whether scores depend on steps: a narrow head has no pair to turn."""
        return self.kind == "alibi" or self.pairs > 0

    def in_keys(self, codes: Tensor, steps: Tensor) -> Tensor:
        """Give keys [..., N, H, E] of steps [..., N] their positions: [..., N, H, E']."""
        if self.kind == "rotary":
            return self._turned(codes, steps)
        exact = torch.promote_types(codes.dtype, torch.float32)
        heads = torch.arange(1, self.heads + 1, device=codes.device, dtype=exact)
        place = torch.pow(2.0, -8 * heads / self.heads) * steps.unsqueeze(-1)
        return torch.cat([codes, place.unsqueeze(-1).to(codes.dtype)], -1)

    def in_queries(self, codes: Tensor, steps: Tensor | None = None) -> Tensor:
        """Give queries [..., M, H, E] of steps [..., M] their positions: [..., M, H, E'].

        Without steps they are of step 0.
        """
        if self.kind == "rotary":
            return codes if steps is None else self._turned(codes, steps)
        # The scores of codes are over sqrt(E), that of the places over nothing.
        more = (self.width + 1) ** 0.5
        one = codes.new_full((*codes.shape[:-1], 1), more)
        return torch.cat([codes * (more / self.width**0.5), one], -1)

    def _turned(self, codes: Tensor, steps: Tensor) -> Tensor:
        P = self.pairs
        exact = torch.promote_types(codes.dtype, torch.float32)
        angles = steps.to(exact)[..., None, None] * self.rates(exact, codes.device)
        cos, sin = angles.cos().to(codes.dtype), angles.sin().to(codes.dtype)
        first, second, rest = codes.split([P, P, codes.shape[-1] - 2 * P], -1)
        minus = torch.addcmul(first * cos, second, sin, value=-1)
        return torch.cat([minus, torch.addcmul(first * sin, second, cos), rest], -1)

    def rates(self, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
        """Return the angles [P] by which the pairs turn in a step, in one operator."""
        fast, slow = math.log(2 * math.pi / FASTEST), math.log(2 * math.pi / self.slowest)
        return torch.logspace(fast, slow, self.pairs, math.e, dtype=dtype, device=device)


def best(scores: Tensor, mask: Tensor, number: int | None) -> Tensor:
    """Tell which of the places that a mask shows have the highest scores; ties are all among them.

    Args:
        scores: [..., N].
        mask: [..., N] bool.
        number: how many places; None for all.
    """
    if number is None or number >= scores.shape[-1]:
        return mask
    seen = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return mask & (seen >= seen.topk(number, -1).values[..., -1:])
