"""Positions of steps in an attention: ALiBi (Press et al. 2022) or rotary (Su et al. 2021).

Either adds the distance in steps to a score of queries and keys of width E:

    ALiBi:  q^T k / sqrt(E) - m_h (t - s),   m_h = 2^(-8 h / H) for heads h = 1 to H
    rotary: (R_t q)^T (R_s k) / sqrt(E),     R_t turns pairs of entries by t steps' angles

Only t - s matters, so that steps may be counted from any origin, such as the present step.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from memory_cores.parts.clock import FASTEST, SLOWEST

PositionKind = Literal["rotary", "alibi"]


class StepPositions(nn.Module):
    """Adds positions to keys and queries of H heads, which become E' wide.

    The scores are q'^T k' / sqrt(E'). Rotary positions turn the first half of the entries, with
    periods from ``FASTEST`` steps to more than a sequence; the others compare content regardless of
    the step. ALiBi positions add two entries: a position, and what rounding it to the codes' type
    leaves, since bfloat16 cannot tell step 257 from step 258.

    Args:
        kind: kind of positions.
        heads: number of heads H.
        width: width E of a head.
        steps: length T of a sequence.

    Raises:
        ValueError: ``kind`` is unknown.
    """

    def __init__(self, kind: PositionKind, heads: int, width: int, steps: int) -> None:
        if kind not in get_args(PositionKind):
            raise ValueError(f"positions must be one of {get_args(PositionKind)}, got {kind!r}")
        super().__init__()
        self.kind, self.heads, self.width = kind, heads, width
        #: Number P of pairs that are turned.
        self.pairs = width // 4 if kind == "rotary" else 0
        #: Longest period, in steps; saved with the weights, which depend on it.
        self.slowest = max(SLOWEST * steps, 2 * FASTEST)

    def get_extra_state(self) -> Tensor:
        """Return the longest period, for checkpoints."""
        return torch.tensor(self.slowest, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the longest period, whatever the present sequence length."""
        self.slowest = float(state)

    @property
    def tell_steps(self) -> bool:
        """Whether scores depend on steps; a narrow rotary head has no pair to turn."""
        return self.kind == "alibi" or self.pairs > 0

    def in_keys(self, codes: Tensor, steps: Tensor) -> Tensor:
        """Add positions to keys [..., N, H, E] in steps [..., N]; return [..., N, H, E']."""
        if self.kind == "rotary":
            return self._turned(codes, steps)
        exact = torch.promote_types(codes.dtype, torch.float32)
        heads = torch.arange(1, self.heads + 1, device=codes.device, dtype=exact)
        place = (torch.pow(2.0, -8 * heads / self.heads) * steps.unsqueeze(-1)).unsqueeze(-1)
        rounded = place.to(codes.dtype)
        return torch.cat([codes, rounded, (place - rounded).to(codes.dtype)], -1)

    def in_queries(self, codes: Tensor, steps: Tensor | None = None) -> Tensor:
        """Add positions to queries [..., M, H, E] in steps [..., M]; return [..., M, H, E'].

        Without ``steps`` all are in step 0.
        """
        if self.kind == "rotary":
            return codes if steps is None else self._turned(codes, steps)
        # Scores are divided by sqrt(E'): content should be by sqrt(E), positions not at all.
        scale = (self.width + 2) ** 0.5
        ones = codes.new_full((*codes.shape[:-1], 2), scale)
        return torch.cat([codes * (scale / self.width**0.5), ones], -1)

    def _turned(self, codes: Tensor, steps: Tensor) -> Tensor:
        P = self.pairs
        exact = torch.promote_types(codes.dtype, torch.float32)
        angles = steps.to(exact)[..., None, None] * self.rates(exact, codes.device)
        cos, sin = angles.cos().to(codes.dtype), angles.sin().to(codes.dtype)
        first, second, content = codes.split([P, P, codes.shape[-1] - 2 * P], -1)
        turned = torch.addcmul(first * cos, second, sin, value=-1)
        return torch.cat([turned, torch.addcmul(first * sin, second, cos), content], -1)

    def rates(self, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
        """Return the angles [P] by which the pairs turn per step."""
        fast, slow = math.log(2 * math.pi / FASTEST), math.log(2 * math.pi / self.slowest)
        return torch.logspace(fast, slow, self.pairs, math.e, dtype=dtype, device=device)


def best(scores: Tensor, mask: Tensor, number: int | None) -> Tensor:
    """Restrict a mask to the entries with the highest scores, including all ties.

    Args:
        scores: [..., N].
        mask: [..., N] bool.
        number: number of entries; None for all.
    """
    if number is None or number >= scores.shape[-1]:
        return mask
    visible = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return mask & (visible >= visible.topk(number, -1).values[..., -1:])
