"""The contract that makes memory cores interchangeable.

A core is a module without hidden state: everything that changes over time is in a ``State`` (a
NamedTuple of tensors) that each call takes and returns. A sequence model unrolls it as

    state = core.initial_state(batch_size, like=tensor)
    for every step t:
        state = core.write(state, control_t, items_t)
        reads_t, state = core.read(state, control_t)

in one call, ``write_and_read``, which a core may override with a faster version, and which also
returns the KL of stochastic cores. Models that look values up by query (at every target location of
a neural process) know all controls and items beforehand: they write all steps with ``unroll``, then
call ``lookup`` once for all of them.

A core implements ``initial_state``, ``write``, ``_read``, ``lookup`` and ``pool``; the rest has
defaults. ``tests/conformance/`` checks these guarantees for every core:

- Its state is a NamedTuple of tensors [B, ...]; floats have the dtype of ``like``, and all are on
  its device. Comments give the shape of every field of a state or snapshot, as ``#: [B, N, W]``,
  and its dtype unless it is a float, as ``#: [B, 1] int64``. A second shape, for the other kind of
  model, follows a semicolon. Within one state a letter stands for one number. B is the number of
  sequences, R ``read_heads``, W ``word_size``, Dk and Dv the widths of ``sizes``; others are free.
- No later step depends on the fields that it names in ``not_carried``, except through what the
  other fields determine. Each number that ``state_size`` counts influences later steps.
- The constructor also runs on the meta device, where models are sized to their budgets.
- Shapes are the same in all steps, except those of the current step's items, unless
  ``graph_steps`` is 0 or ``state_size`` None. No call branches on data, so that a whole unroll can
  be compiled.
- No call changes its inputs. The same inputs give the same outputs, also in training; a
  stochastic core (``noise_size`` above 0) draws with the noise passed to it.
- Sequences of a batch do not see each other, and steps do not see later ones.
- Neither the order of a set's items nor the content of padding, NaN included, makes a difference. A
  set that is all padding is an empty set, and N may be 0.
- An item changes the reads of later steps, unless ``holds_items`` is False.
- A look-up in an empty memory returns 0, unless ``starts_empty`` is False.
- Weightings are not negative and sum to at most 1. A core with a setting ``slots`` has some.
- Look-ups of an ``uncertain`` core return a positive variance after each value.
- Values and gradients are finite for any parameters, also in bfloat16 and under autocast.
- Gradients reach every parameter, in models that read with heads and in those that read by query: a
  core omits parameters that only the other kind needs (``sizes.query`` tells the two apart).
- A look-up in all steps at once returns the same as look-ups step by step.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, final

import torch
from torch import Tensor, nn

from memory_cores.parts.palette import NEUTRAL, Look
from memory_cores.parts.real_points import RealPoints


class MemorySizes(NamedTuple):
    """Sizes known only to the model and its data; the model passes them to the constructor."""

    control: int  #: width of the control vector (a controller's state, a pooled context encoding)
    key: int  #: width of an item's key
    value: int  #: width of an item's value
    steps: int  #: length of a sequence, from which cores choose their slots
    query: int = 0  #: width of a look-up query; 0 for models that read with the core's heads only
    key_range: float = 1.0  #: entries of keys lie in about [-key_range, key_range]
    clock: tuple[float, ...] = ()  #: periods, in steps, of the clock hands that lead a control
    plain: bool = False  #: keep PyTorch's initial weights
    slots: int | None = None  #: slots within a budget; None: the core's own default
    maps: tuple[int, int] | None = None  #: height and width if values are flattened maps [C, H, W]

    def slots_of(self, setting: int | None, default: int) -> int:
        """Return a core's slots: its setting, else the budget's, else the core's default."""
        if setting is not None:
            return setting
        return default if self.slots is None else self.slots


class Items(NamedTuple):
    """A masked set of items to write in one step. N may be 0 and differ from step to step."""

    keys: Tensor  #: [B, N, Dk]
    values: Tensor  #: [B, N, Dv]
    mask: Tensor  #: [B, N] bool, False for padding

    def pooled(self) -> tuple[Tensor, Tensor]:
        """Average the real items, for cores that store one item per step.

        Returns:
            item: [B, Dk + Dv], the mean [key; value] of the real items, 0 where there are none.
            present: [B, 1], 1 where a sequence has at least one real item, else 0.
        """
        items = torch.cat([self.keys, self.values], dim=2)
        # Filled, not multiplied by 0: padding may be NaN.
        real = items.masked_fill(~self.mask.unsqueeze(2), 0)
        count = self.mask.to(items.dtype)
        if items.shape[1] == 1:  # the usual case in a loop over time: no average needed
            return real.squeeze(1), count
        count = count.sum(1, keepdim=True)
        return real.sum(1) / count.clamp(min=1), count.clamp(max=1)


class Recollections(NamedTuple):
    """Memory contents after each of T steps, for models that know all items beforehand."""

    snapshot: Any  #: input of ``lookup`` for queries [B, T, M, Dq]
    total: Tensor  #: [B, T, Dv], ``pool`` of every step
    number: Tensor  #: [B, T, 1]
    kl: Tensor  #: [B, T] nats, KL of a stochastic core's draws; else 0


class Weightings(NamedTuple):
    """Weights with which a core read and wrote in the last step; each row sums to at most 1.

    A core that recomputes all its slots in every step has no write weighting (H = 0): its reads
    cannot be attributed to single steps.
    """

    read: Tensor  #: [B, R, N]
    write: Tensor  #: [B, H, N]


State = TypeVar("State", bound=NamedTuple)


class MemoryCore(nn.Module, ABC, Generic[State]):
    """Base class of the cores. Subclasses take ``sizes`` first, then their own settings.

    The constructor also runs on the meta device, whose tensors have no data, to size models to
    their budgets: compute constants with ``math`` or Python numbers, and keep tensors in
    ``register_buffer(..., persistent=False)``.
    """

    #: Colour and marker in every plot, by position in ``memory_cores.CORES``.
    look: ClassVar[Look] = NEUTRAL
    #: Whether psi_t = [reads_t; h_t] and the controller sees reads_{t-1}; else psi_t is the reads
    #: alone, and the controller does not see them (Gemici et al. 2017, eqs. 9 and 12).
    context_includes_control: ClassVar[bool] = True
    #: Standard normal numbers per step that a stochastic core draws with; it has a posterior, and
    #: ``unroll`` returns its KL. 0 for a deterministic core.
    noise_size: int = 0
    #: Whether ``unroll`` is a loop over steps, with the same kernels for the same shapes.
    unroll_recurs: ClassVar[bool] = True
    #: Whether items are stored, so that later steps may read them.
    holds_items: ClassVar[bool] = True
    #: Whether look-ups in an empty memory return 0; if not, the initial contents are learned.
    starts_empty: ClassVar[bool] = True
    #: Whether a look-up returns a variance after each value.
    uncertain: ClassVar[bool] = False
    #: Number R of read heads; 0 for a core that never reads.
    read_heads: int = 1
    #: Fields of the state that the others determine, or that are only recorded for plots.
    not_carried: tuple[str, ...] = ()

    def __init__(self, sizes: MemorySizes) -> None:
        super().__init__()
        self.sizes = sizes

    @property
    def graph_steps(self) -> int:
        """Maximum steps compiled as one graph: more run faster, but take longer to compile.

        0 if shapes vary from step to step: nothing is compiled.
        """
        return 5

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from one step to the next.

        All fields count, except those in ``not_carried`` and the current step's items, of which the
        initial state has none. None for a state that grows with every item.
        """
        like = next(self.parameters(), torch.empty(0)).new_empty(0)
        with torch.no_grad():
            parts = self.initial_state(1, like)._asdict()
        return sum(part.numel() for name, part in parts.items() if name not in self.not_carried)

    @property
    def read_size(self) -> int:
        """Width of what one head reads: that of a value."""
        return self.sizes.value

    @property
    def lookup_size(self) -> int:
        """Width of a look-up's result: a value, and its variance if the core is uncertain."""
        return self.sizes.value + self.uncertain

    @property
    def context_size(self) -> int:
        """Width C of the reads of all heads; 0 in models that read by query."""
        return 0 if self.sizes.query else self.read_heads * self.read_size

    @abstractmethod
    def initial_state(self, batch_size: int, like: Tensor) -> State:
        """Return the state before the first step, on the device and in the dtype of ``like``."""

    @abstractmethod
    def write(self, state: State, control: Tensor, items: Items) -> State:
        """Store the step's items under the control [B, control].

        Fields with the current step's items may have a row for each, and none in the initial state;
        all other fields have constant shapes.
        """

    @final
    def read(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Read with the core's own heads under the control [B, control].

        Returns nothing (C = 0) in models that read by query, where ``sizes.query`` is not 0.

        Returns:
            reads: [B, C]; the state, since reading may change what later steps see.
        """
        if self.sizes.query:
            return control.new_zeros(len(control), 0), state
        return self._read(state, control)

    @abstractmethod
    def _read(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Implement ``read``; called only in models that read with heads."""

    def write_and_read(
        self,
        state: State,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, State, Tensor]:
        """Write, then read: one step of a model that reads with the core's own heads.

        Arguments are those of ``advance``.

        Returns:
            reads: [B, C]; state; kl: [B], from ``advance``.
        """
        state, kl = self.advance(state, control, items, observed, noise)
        return *self.read(state, control), kl

    def weightings(self, state: State) -> Weightings:
        """Return the last read and write weightings, for plots and the read-correctness metric.

        A core without slots has none: R, H and N are 0.
        """
        like = next(part for part in state if part.is_floating_point())
        empty = like.new_zeros(len(like), 0, 0)
        return Weightings(read=empty, write=empty)

    def snapshot(self, state: State, items: Items) -> Any:
        """Return the tensors [B, ...] that ``lookup`` needs; they may be stacked over time.

        In all cores of this package look-ups attend to the step's real items, uncompressed,
        together with the memory (Yoon et al. 2020, section 3.1.3).

        Args:
            state: the state after the step.
            items: the items written in that step. Cores with them in their state ignore it.
        """
        return state

    @abstractmethod
    def lookup(self, snapshot: Any, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Read values by query from one snapshot, or from snapshots stacked over time.

        Args:
            snapshot: tensors [B, ...], or [B, T, ...] stacked over time.
            queries: [B, M, Dq], or [B, T, M, Dq].
            real: which queries are not padding, if known. Values for padding may be anything
                finite, so that a core may skip them.

        Returns:
            values: [B, M, Dv], or [B, T, M, Dv]; Dv + 1 if uncertain, with the variance last.
        """

    @abstractmethod
    def pool(self, state: State) -> tuple[Tensor, Tensor]:
        """Return sum [B, Dv] and number [B, 1] of the stored values.

        Latents may pool them together with the context. Caches and windows leave the current items
        out; other cores cannot tell them from older ones. Those with maps count their places. Used
        only by models that read by query.
        """

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps, from the initial state.

        Args:
            controls: [B, T, control].
            items: keys [B, T, N, Dk], values [B, T, N, Dv], mask [B, T, N].
            observed: [B, T, control], the posterior's controls; only for stochastic cores.
            noise: [B, T, noise_size], standard normal; drawn if None.
        """
        state = self.initial_state(len(controls), like=controls)
        snapshots, sums = [], []
        for t, (control, *step) in enumerate(
            zip(controls.unbind(1), *(part.unbind(1) for part in items), strict=True)
        ):
            inputs = (None if part is None else part[:, t] for part in (observed, noise))
            state, divergence = self.advance(state, control, Items(*step), *inputs)
            snapshots.append(self.snapshot(state, Items(*step)))
            sums.append((*self.pool(state), divergence))
        total, number, kl = (torch.stack(parts, 1) for parts in zip(*sums, strict=True))
        return Recollections(stacked(snapshots), total, number, kl)

    def advance(
        self,
        state: State,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[State, Tensor]:
        """Write a step; draw from the posterior if ``observed`` is given, else from the prior.

        The posterior influences nothing but the draws, so that the KL covers all information from
        the observation in the state.

        Args:
            state: the previous step's state.
            control: [B, control].
            items: the step's items.
            observed: [B, control], the posterior's control.
            noise: [B, noise_size], standard normal; drawn if None.

        Returns:
            state; kl: [B], KL[posterior || prior], 0 where nothing is drawn or observed.
        """
        return self.write(state, control, items), control.new_zeros(len(control))


def stacked(steps: Sequence[Any]) -> Any:
    """Stack NamedTuples of tensors [B, ...] over time, [B, T, ...]."""
    return type(steps[0])(*(torch.stack(parts, 1) for parts in zip(*steps, strict=True)))
