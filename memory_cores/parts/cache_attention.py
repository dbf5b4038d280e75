"""Attention over the items of many steps, with their ages as positions."""

from torch import Tensor

from memory_cores.core import Items
from memory_cores.parts.addressing import masked_softmax
from memory_cores.parts.attention import MultiheadAttention, Prepared
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.solving import exact_type, exactly
from memory_cores.parts.step_positions import PositionKind, StepPositions, best


class CacheAttention(MultiheadAttention):
    """Multihead attention with step positions, over all items or the top K.

    Args:
        key_size: width Dk of keys and queries.
        value_size: width Dv of values.
        heads: number of heads.
        positions: kind of positions.
        steps: length T of a sequence.
        top_k: number of items with the highest scores that a head attends to; None for all.
    """

    def __init__(
        self,
        key_size: int,
        value_size: int,
        heads: int,
        positions: PositionKind,
        steps: int,
        top_k: int | None,
    ) -> None:
        super().__init__(key_size, value_size, heads)
        width = self.keys.out_features // heads
        self.positions, self.top_k = StepPositions(positions, heads, width, steps), top_k

    def prepare_at(self, items: Items, steps: Tensor) -> Prepared:
        """Prepare items [..., N, ...] written in steps [..., N]."""
        prepared = self.prepare(*items)
        codes = prepared.keys.unflatten(-1, (self.heads, -1))
        return prepared._replace(keys=self.positions.in_keys(codes, steps).flatten(-2))

    def ask_at(
        self, queries: Tensor, steps: Tensor | None, real: RealPoints | None = None
    ) -> Tensor:
        """Encode and project queries [..., M, Dk] in steps [..., M]; in step 0 if None."""
        codes = self.ask(queries, real).unflatten(-1, (self.heads, -1))
        return self.positions.in_queries(codes, steps).flatten(-2)

    def weights(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Return the weights [..., H, M, N] of projected queries.

        Scores are not lowered by autocast: positions may count from the first step, and rounded to
        bfloat16 the scores of neighbouring steps would be ties, which ``best`` all keeps.
        """
        exact, visible = exact_type(queries), memory.visible.unsqueeze(-3)
        with exactly(queries):
            parts = (self._split(part).to(exact) for part in (queries, memory.keys))
            scores = self.scores(*parts)
        weights = masked_softmax(scores, best(scores, visible, self.top_k))
        return weights.to(memory.values.dtype)

    def read(self, queries: Tensor, memory: Prepared) -> Tensor:
        """Read with all heads, in one fused call unless ``top_k`` is set."""
        if self.top_k is None:
            return super().read(queries, memory)
        return self._mixed(self.weights(queries, memory), memory)
