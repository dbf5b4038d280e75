"""Base of cores with one map of fixed size per head, from codes of keys to values.

The cost of a read does not depend on how many items were stored. Codes are soft one-hot vectors
(``SoftCodes``) of unit length.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemoryCore, MemorySizes, Recollections, State, Weightings
from memory_cores.parts.associative import STEADY, spread_lags
from memory_cores.parts.attention import AttentionKind, Prepared, make_attention
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.soft_codes import SoftCodes
from memory_cores.parts.solving import exact_type, exactly

#: Raw decay at the start: a map keeps 0.9975 of itself in a step.
KEPT = 6.0

#: Largest root mean square of a limited read; that of a latent is about 1.
LARGEST = 4.0


class Coded(NamedTuple):
    """A step's items encoded for the maps. H heads, codes of D places."""

    keys: Tensor  #: [B, H, N, D], of length 1, also in padding
    values: Tensor  #: [B, 1, N, V], 0 in padding
    gates: Tensor  #: [B, H, N], raw; [B, 0, N] if the core has none
    mask: Tensor  #: [B, 1, N], 1 for an item, 0 for padding


class AssociativeMap(MemoryCore[State]):
    """Base class of cores with one map per head. Subclasses define ``follow`` and ``answer``.

    With a clock, the codes of the first head start by content and those of the others by time;
    without one, all by content. The first Q read heads query the first map, the next Q the second,
    and so on.

    Look-ups add attention over the step's items and a linear map of all heads' answers:

        read(x) = Attend(items_t; x) + W [maps_t(x)]

    A variance is the mean of the maps' variances; it does not include W and the attention.

    Every subclass's state has the last step's codes, for plots: ``written_code``, [B, H, D], and
    ``query_codes``, [B, R, D].

    Args:
        sizes: given by the model.
        slots: places D of a code; default: the sequence length.
        heads: number H of maps.
        queries: read heads per map, in models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, or ``attention``
            is unknown.
    """

    #: Whether items have gates, and maps decay.
    gated: ClassVar[bool] = True
    #: Raw gates at the start.
    open_gate: ClassVar[float] = 0.0
    #: Type of a snapshot: the step's items prepared for the attention (``item_keys``,
    #: ``item_values``, ``item_mask``), then what ``maps`` returns.
    snapshot_type: ClassVar[type[Any]]

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        heads: int = 2,
        queries: int = 3,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes)
        self.slots = sizes.slots_of(slots, sizes.steps)
        require_at_least(1, slots=self.slots, heads=heads, queries=queries)
        require_as_wide_as_keys(sizes.query, sizes.key)
        self.heads, self.queries = heads, queries
        self.read_heads = 0 if sizes.query else heads * queries
        self.key_codes = SoftCodes(sizes.key, heads, self.slots, gates=self.gated * heads)
        if sizes.query:
            self.attention = make_attention(attention, sizes.key, sizes.value, attention_heads)
            # Without a bias: where nothing was written, a read is 0.
            self.merge = nn.Linear(heads * sizes.value, sizes.value, bias=False)
        else:
            self.read_codes = SoftCodes(sizes.control, self.read_heads, self.slots)
        if self.gated:
            self.decay = nn.Linear(sizes.control, heads)
        if not sizes.plain:
            self._start()

    @property
    def read_size(self) -> int:
        """Width of what one head reads, or a look-up without the step's items."""
        return self.lookup_size

    @abstractmethod
    def follow(self, state: State, decay: Tensor, items: Coded) -> State:
        """Decay the maps by raw ``decay`` [B, H], then write the items to them."""

    @abstractmethod
    def maps(self, state: State) -> tuple[Tensor, ...]:
        """Return the parts of a state that ``answer`` reads, tensors [B, H, ...]."""

    @abstractmethod
    def pooled(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return sum [..., Dv] and number [..., 1] of the values in maps [..., H, ...]."""

    @abstractmethod
    def answer(self, maps: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Read [..., H, M, read_size] from maps [..., H, ...] by codes [..., H, M, D]."""

    def write(self, state: State, control: Tensor, items: Items) -> State:
        """Write the step's items to the maps; their order makes no difference."""
        coded = self._encode(items)
        state = self._follow_exactly(state, self._decay(control), coded)
        return state._replace(written_code=mean_code(coded.keys, coded.mask))

    def _encode(self, items: Items) -> Coded:
        """Encode items [..., N, D] for the maps."""
        hole = ~items.mask.unsqueeze(-1)
        keys, values = items.keys.masked_fill(hole, 0), items.values.masked_fill(hole, 0)
        codes, gates = self.key_codes(keys)
        mask = items.mask.to(codes.dtype).unsqueeze(-2)
        return Coded(codes.transpose(-3, -2), values.unsqueeze(-3), gates.mT, mask)

    def _decay(self, control: Tensor) -> Tensor:
        """Return raw decays [..., H] of controls; [..., 0] if the core has none."""
        return self.decay(control) if self.gated else control[..., :0]

    def _follow_exactly(self, state: State, decay: Tensor, items: Coded) -> State:
        """Call ``follow`` in single precision at least."""
        like = state[0]
        kind = exact_type(like)
        with exactly(like):
            wide = type(state)(*(part.to(kind) for part in state))
            after = self.follow(wide, decay.to(kind), Coded(*(part.to(kind) for part in items)))
        return type(state)(*(part.to(like.dtype) for part in after))

    def _answer_exactly(self, maps: Sequence[Tensor], queries: Tensor) -> Tensor:
        """Call ``answer`` in single precision at least."""
        kind = exact_type(maps[0])
        with exactly(queries):
            answer = self.answer(tuple(part.to(kind) for part in maps), queries.to(kind))
        return answer.to(maps[0].dtype)

    def _read(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Query each map with the codes of its read heads."""
        codes, _ = self.read_codes(control)
        queries = codes.unflatten(1, (self.heads, self.queries))
        reads = self._answer_exactly(self.maps(state), queries)
        return reads.flatten(1), state._replace(query_codes=codes.detach())

    def weightings(self, state: Any) -> Weightings:
        """Return the squares of the last codes: shares of places read and written."""
        return Weightings(read=state.query_codes.square(), write=state.written_code.square())

    def snapshot(self, state: State, items: Items) -> Any:
        """Join the step's items and the maps."""
        real = self.attention.prepare(*items)
        return self.snapshot_type(real.keys, real.values, real.mask, *self.maps(state))

    def lookup(self, snapshot: Any, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Attend to the step's items, and add what the maps answer; variances are averaged."""
        items = Prepared(*snapshot[:3])
        near = self.attention.attend(self.attention.ask(queries, real), items, real)
        codes, _ = self.key_codes(queries)
        answers = self._answer_exactly(snapshot[3:], codes.transpose(-3, -2)).transpose(-3, -2)
        values, variances = answers.split([self.sizes.value, self.uncertain], -1)
        values = near + self.merge(values.flatten(-2))
        return torch.cat([values, variances.mean(-2)], -1) if self.uncertain else values

    def pool(self, state: State) -> tuple[Tensor, Tensor]:
        """Sum the values that the maps store."""
        return self.pooled(self.maps(state))

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps; codes, decays and snapshots are computed for all at once."""
        coded = self._encode(items)
        state = self.initial_state(len(controls), like=coded.keys)
        maps = []
        steps = (part.unbind(1) for part in (self._decay(controls), *coded))
        for decay, *step in zip(*steps, strict=True):
            state = self._follow_exactly(state, decay, Coded(*step))
            maps.append(self.maps(state))
        real = self.attention.prepare(*items)
        stacked = tuple(torch.stack(parts, 1) for parts in zip(*maps, strict=True))
        total, number = self.pooled(stacked)
        snapshot = self.snapshot_type(real.keys, real.values, real.mask, *stacked)
        return Recollections(snapshot, total, number, torch.zeros_like(number[..., 0]))

    def number_of(self, maps: Tensor) -> Tensor:
        """Return the number of values [..., 1] in maps [..., H, D, V]: D, or 0 if empty."""
        written = (maps.detach() != 0).flatten(-3).any(-1, keepdim=True)
        return self.slots * written.to(maps.dtype)

    @torch.no_grad()
    def _start(self) -> None:
        """Start with maps that hardly decay, and codes by time and content, or by position."""
        if self.gated:
            nn.init.constant_(self.decay.bias, KEPT)
            self.decay.weight.mul_(STEADY)
            self.key_codes.start_gates(self.open_gate)
        if self.sizes.query:
            self.key_codes.start_at_places(self.sizes.key_range)
        elif self.sizes.control == self.sizes.key:
            self._start_by_content_and_time()

    def _start_by_content_and_time(self) -> None:
        """Start one map by content and the others by time; without a clock, all by content."""
        sizes, queries = self.sizes, self.queries
        by_content = int(self.heads > 1) if sizes.clock else self.heads
        by_time = self.heads - by_content
        # Each map has directions of its own, so that maps confuse different keys. One is drawn even
        # for none: starts that are drawn later must not depend on the number of maps.
        directions = torch.randn(max(by_content, 1), self.slots, sizes.key)[:by_content]
        lags = spread_lags(by_time * queries, sizes.steps)
        written = [*directions, *[0.0] * by_time]
        read = [*directions.repeat_interleave(queries, 0), *lags]
        self.key_codes.start_comparing(written, sizes.steps, sizes.clock)
        self.read_codes.start_comparing(read, sizes.steps, sizes.clock)


def limited(reads: Tensor) -> Tensor:
    """Scale down large reads [..., V], of maps whose reads can exceed all stored values.

    A generative model that stores its own samples and computes the next one from its reads would
    otherwise diverge:

        r <- r min(1, 4 / rms(r))
    """
    return reads * LARGEST * reads.square().mean(-1, keepdim=True).clamp(min=LARGEST**2).rsqrt()


def mean_code(codes: Tensor, mask: Tensor) -> Tensor:
    """Return the root mean square [B, H, D] of the real items' codes.

    Args:
        codes: [B, H, N, D], roots of shares.
        mask: [B, 1, N], 1 for an item, 0 for padding; without an item the code is 0.
    """
    codes = codes.detach() * mask.unsqueeze(3)
    if codes.shape[2] == 1:  # one item a step: its code is the mean
        return codes.squeeze(2)
    return (codes.square().sum(2) / mask.sum(2, keepdim=True).clamp(min=1)).sqrt()
