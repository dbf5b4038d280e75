"""Contract that every memory core fulfils, and behind which all of them are interchangeable.

A core is a module without hidden state: everything that changes over time is in a ``State`` (a
NamedTuple of tensors) that goes into each call and comes out of it. A sequence model unrolls it as

    state = core.initial_state(batch_size, like=tensor)
    for every step t:
        state = core.write(state, control_t, items_t)
        reads_t, state = core.read(state, control_t)

in one call, ``write_and_read``, which a core may implement in a shorter way, and which also gives
the KL of what a core draws. Models that look values up by query (at every target location of a
neural process) know all controls and items beforehand: they write all steps with ``unroll``, then
call ``lookup`` once for all of them.

A core writes ``initial_state``, ``write``, ``_read``, ``lookup`` and ``pool``; the rest has
defaults. ``tests/conformance/`` checks that every core keeps these promises:

- Its state is a NamedTuple of tensors [B, ...]; floats have the dtype of ``like``, and all are on
  its device. Comments give the shape of every field of a state or snapshot, as ``#: [B, N, W]``,
  and its kind if that is no float, as ``#: [B, 1] int64``. A second shape, for the other kind of
  model, follows a semicolon. Within one state a letter stands for one number. B is the number of
  sequences, R ``read_heads``, W ``word_size``, Dk and Dv the widths of ``sizes``; others are free.
- No later step depends on the fields of its state that it names in ``not_carried``, but for what
  the other fields determine. Each number that ``state_size`` counts makes a difference later.
- Shapes are the same in all steps, but for what is kept of the current step's items, unless
  ``graph_steps`` is 0. No call
  branches on data, so that a whole unroll can be compiled.
- No call changes its inputs. The same inputs give the same outputs, in training, too; a core that
  draws (``noise_size`` above 0) does so with the noise that it is given.
- Sequences of a batch do not see each other, and steps do not see later ones.
- Neither the order of a set's items nor what stands in padding, NaN included, makes a difference. A
  set of nothing but padding is an empty set, and N may be 0.
- An item makes a difference to what is read in later steps, unless ``holds_items`` is False.
- A look-up where nothing was written finds 0, unless ``starts_empty`` is False.
- Weightings are not negative and sum to at most 1. A core with a setting ``slots`` has some.
- An ``uncertain`` core says how sure it is: look-ups return a positive variance behind each value.
- Values and gradients are finite, whatever the parameters, in bfloat16 and under autocast, too.
- Gradients reach every parameter, in models that read with heads and in those that read by query: a
  core does not make what only the other kind needs (``sizes.query`` says which kind it is in).
- A look-up in all steps at once gives what look-ups step by step give.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, final

import torch
from torch import Tensor, nn

from memory_cores.parts.palette import NEUTRAL, Look
from memory_cores.parts.real_points import RealPoints


class MemorySizes(NamedTuple):
    """Numbers that only the model and its data know; the model supplies them at construction."""

    control: int  #: width of the control vector (a controller's state, a pooled context encoding)
    key: int  #: width of an item's key
    value: int  #: width of an item's value
    steps: int  #: length of a sequence, by which cores choose their slots
    query: int = 0  #: width of a look-up query; 0 for models that read with the core's heads only
    key_range: float = 1.0  #: entries of keys are from -key_range to key_range, roughly
    clock: tuple[float, ...] = ()  #: periods, in steps, of the hands that a control begins with
    plain: bool = False  #: whether a core is to start with PyTorch's initial weights
    slots: int | None = None  #: slots that a budget leaves a core; None: as many as it chooses
    maps: tuple[int, int] | None = None  #: height and width, if values are flattened maps [C, H, W]

    def slots_of(self, named: int | None, chosen: int) -> int:
        """Return a core's slots: those that its settings name, else the budget's, else its own."""
        if named is not None:
            return named
        return chosen if self.slots is None else self.slots


class Items(NamedTuple):
    """A masked set of items to write in one step. N may be 0 and differ from step to step."""

    keys: Tensor  #: [B, N, Dk]
    values: Tensor  #: [B, N, Dv]
    mask: Tensor  #: [B, N] bool, False for padding

    def pooled(self) -> tuple[Tensor, Tensor]:
        """Average the real items, for cores that store one item a step whatever the set's size.

        Returns:
            item: [B, Dk + Dv], the mean [key; value] of the real items, 0 where there are none.
            present: [B, 1], 1 where a sequence has at least one real item, else 0.
        """
        items = torch.cat([self.keys, self.values], dim=2)
        # Filled, not multiplied by 0: padding may hold anything, NaN too.
        real = items.masked_fill(~self.mask.unsqueeze(2), 0)
        count = self.mask.to(items.dtype)
        if items.shape[1] == 1:  # the usual case inside a loop over time: nothing to average
            return real.squeeze(1), count
        count = count.sum(1, keepdim=True)
        return real.sum(1) / count.clamp(min=1), count.clamp(max=1)


class Recollections(NamedTuple):
    """All that a core holds after each of T steps, for models that know all items beforehand."""

    snapshot: Any  #: what ``lookup`` needs for queries [B, T, M, Dq]
    total: Tensor  #: [B, T, Dv], ``pool`` of every step
    number: Tensor  #: [B, T, 1]
    kl: Tensor  #: [B, T] nats, of what a stochastic core drew; else 0


class Weightings(NamedTuple):
    """Weights with which a core read and wrote in the last step; each row sums to at most 1.

    A core whose slots do not belong to single steps, because each step makes them anew from all
    that was held, has no write weighting (H = 0): its reads do not tell which step was read.
    """

    read: Tensor  #: [B, R, N]
    write: Tensor  #: [B, H, N]


State = TypeVar("State", bound=NamedTuple)


class MemoryCore(nn.Module, ABC, Generic[State]):
    """Base class of the cores. Subclasses take ``sizes`` first, then their own settings."""

    #: Colour and marker in every plot, by the core's place in ``memory_cores.CORES``.
    look: ClassVar[Look] = NEUTRAL
    #: Whether psi_t = [reads_t; h_t] and the controller sees reads_{t-1}; else psi_t is the reads
    #: alone, and the controller does not see them (Gemici et al. 2017, eqs. 9 and 12).
    context_includes_control: ClassVar[bool] = True
    #: Standard normal numbers that a step takes, of a core that draws some of what it holds, so
    #: that there is a posterior and ``unroll`` has a KL; else 0.
    noise_size: int = 0
    #: Whether ``unroll`` takes one step after the other, with the same kernels for the same shapes.
    unroll_recurs: ClassVar[bool] = True
    #: Whether what it holds depends on the items, so that later steps may read them.
    holds_items: ClassVar[bool] = True
    #: Whether look-ups find zeros where nothing was written; else it begins with values of its own.
    starts_empty: ClassVar[bool] = True
    #: Whether a look-up returns a variance behind each value.
    uncertain: ClassVar[bool] = False
    #: Number R of its own read heads; 0 for a core that never reads.
    read_heads: int = 1
    #: Fields of its state that the others determine, or that are only recorded, for plots.
    not_carried: tuple[str, ...] = ()

    def __init__(self, sizes: MemorySizes) -> None:
        super().__init__()
        self.sizes = sizes

    @property
    def graph_steps(self) -> int:
        """Most steps that are compiled as one graph: more run faster, but compile for longer.

        0 if shapes differ from step to step, so that none is compiled.
        """
        return 5

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence's state carries from one step to the next.

        All of the state counts, except the fields of ``not_carried`` and the current step's items,
        which come anew in each step: the initial state has none. None for a state that grows with
        every item.
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
        """Width of what a look-up returns: a value, and its variance if the core is uncertain."""
        return self.sizes.value + self.uncertain

    @property
    def context_size(self) -> int:
        """Width C of what ``read`` returns: all heads', or 0 for models that read by query."""
        return 0 if self.sizes.query else self.read_heads * self.read_size

    @abstractmethod
    def initial_state(self, batch_size: int, like: Tensor) -> State:
        """Return the state before the first step, on the device and in the dtype of ``like``."""

    @abstractmethod
    def write(self, state: State, control: Tensor, items: Items) -> State:
        """Store the step's items under the given control [B, control].

        Parts of the state that hold the current step's items may have a row for each, and none in
        the initial state; all other parts have a constant shape.
        """

    @final
    def read(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Read with the core's own heads under the given control [B, control].

        Models that read by query (``sizes.query`` is not 0) do not use it: they get nothing.

        Returns:
            reads: [B, C]; the state, since reading may change what later steps see.
        """
        if self.sizes.query:
            return control.new_zeros(len(control), 0), state
        return self._read(state, control)

    @abstractmethod
    def _read(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Read, as ``read`` promises; called only for models that read with heads."""

    def write_and_read(
        self,
        state: State,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, State, Tensor]:
        """Take a step of a model that reads with the core's own heads: write, then read.

        The arguments are those of ``advance``.

        Returns:
            reads: [B, C]; state; kl: [B], as ``advance`` gives it.
        """
        state, kl = self.advance(state, control, items, observed, noise)
        return *self.read(state, control), kl

    def weightings(self, state: State) -> Weightings:
        """Return the last read and write weightings, for plots and the read-correctness metric.

        A core without slots has none: R, H and N are 0.
        """
        held = next(part for part in state if part.is_floating_point())
        nothing = held.new_zeros(len(held), 0, 0)
        return Weightings(read=nothing, write=nothing)

    def snapshot(self, state: State, items: Items) -> Any:
        """Return the tensors that ``lookup`` needs, each [B, ...], to be stacked over time.

        All cores of this package let look-ups attend to the step's real items, each as it is,
        together with what they hold (Yoon et al. 2020, section 3.1.3).

        Args:
            state: the state after the step.
            items: those that the step wrote. Cores that keep them in their state ignore them.
        """
        return state

    @abstractmethod
    def lookup(self, snapshot: Any, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        """Read values by query from one snapshot or from many that were stacked over time.

        Args:
            snapshot: tensors [B, ...], or [B, T, ...] stacked over time.
            queries: [B, M, Dq], or [B, T, M, Dq].
            real: which queries are not padding, if that is known. Values for padding may be
                anything finite, so that a core may skip the work.

        Returns:
            values: [B, M, Dv], or [B, T, M, Dv]; of an uncertain core Dv + 1, the variance last.
        """

    @abstractmethod
    def pool(self, state: State) -> tuple[Tensor, Tensor]:
        """Return sum [B, Dv] and number [B, 1] of the values held beside the current step's items.

        Latents may pool them together with the context. Cores that keep items in slots hold the
        current ones there, too. Only models that read by query use it.
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
            observed: [B, T, control], the posterior's controls; cores that draw nothing need none.
            noise: [B, T, noise_size], standard normal; drawn if not given.
        """
        state = self.initial_state(len(controls), like=controls)
        snapshots, sums = [], []
        for t, (control, *step) in enumerate(
            zip(controls.unbind(1), *(part.unbind(1) for part in items), strict=True)
        ):
            drawn = (None if part is None else part[:, t] for part in (observed, noise))
            state, divergence = self.advance(state, control, Items(*step), *drawn)
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

        The posterior decides nothing but the draws, so that the KL covers all that the state
        learns from it.

        Args:
            state: the state of the step before.
            control: [B, control].
            items: the step's items.
            observed: [B, control], the posterior's control.
            noise: [B, noise_size], standard normal; drawn if not given.

        Returns:
            state; kl: [B], KL[posterior || prior], 0 where nothing is drawn or observed.
        """
        return self.write(state, control, items), control.new_zeros(len(control))


def stacked(steps: Sequence[Any]) -> Any:
    """Stack NamedTuples of tensors [B, ...] over time, [B, T, ...]."""
    return type(steps[0])(*(torch.stack(parts, 1) for parts in zip(*steps, strict=True)))
