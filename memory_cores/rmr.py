"""Recurrent memory reconstruction: an imaginary context that tracks the task (Yoon et al. 2020).

Every step reconstructs K imaginary cells from the previous cells and the step's items, so that
nothing in them is obsolete (section 3.1, algorithm 1):

    h^x_t, X_t = key tracker(X_{t-1}, control_t)                    eq. 6
    h^k_t      = value tracker(x^k_t, v^k_{t-1})                    eq. 8, a proposal for each cell
    V_t        = Attend(items_t and proposals (x^k_t, h^k_t); X_t)  eq. 9
    read(x)    = Attend(items_t and cells (x^k_t, v^k_t); x)        section 3.1.3

with the same attention throughout.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemoryCore, MemorySizes, Recollections, Weightings
from memory_cores.parts.associative import spread_lags
from memory_cores.parts.attention import (
    AttentionKind,
    MultiheadAttention,
    Prepared,
    glorot_linear,
    make_attention,
)
from memory_cores.parts.checks import require_as_wide_as_keys, require_at_least, require_positive
from memory_cores.parts.gaussian import kl_divergence
from memory_cores.parts.hand_attention import ask_for_lags, attend_by_hands, hands_at
from memory_cores.parts.lstm import LSTMCell
from memory_cores.parts.range import Range
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.trackers import make_tracker

#: Range of initial values, and of log sigmas of stochastic keys: exponentials might overflow.
VALUE_RANGE, LOG_SIGMA_RANGE = 0.5, Range(-10.0, 10.0)


class RMRState(NamedTuple):
    """B sequences, K imaginary cells, the N items of the current step, R read heads.

    E and V are the attention's widths of keys and values.
    """

    keys: Tensor  #: [B, K, Dk], initially learned
    values: Tensor  #: [B, K, Dv], initially learned
    key_parameters: Tensor  #: [B, K, 2 Dk], means and log sigmas; [B, K, 0] if deterministic
    key_hidden: Tensor  #: [B, H], of the key tracker
    key_cell: Tensor  #: [B, H]
    proposals: Tensor  #: [B, K, Dv], the value trackers' hidden states
    value_cells: Tensor  #: [B, K, Dv]
    attended_keys: Tensor  #: [B, K, E], the cells' keys, projected
    item_keys: Tensor  #: [B, N, E], the step's item keys, projected
    item_values: Tensor  #: [B, N, V]
    item_mask: Tensor  #: [B, N] bool
    read_weights: Tensor  #: [B, R, K + 1], the last column for all items together


class RMRSnapshot(NamedTuple):
    """Inputs of a look-up; [B, T, ...] for many steps."""

    keys: Tensor  #: [B, K, E], of the cells
    values: Tensor  #: [B, K, Dv]
    item_keys: Tensor  #: [B, N, E], of the step's items
    item_values: Tensor  #: [B, N, V]
    item_mask: Tensor  #: [B, N] bool
    places: Tensor  #: [B, K, Dk], the cells' unprojected keys, for pictures


class RMRCells(NamedTuple):
    """New keys and the step's items, projected for the attention; [B, T, ...] for many steps."""

    places: Tensor  #: [B, K, Dk], the unprojected keys
    queries: Tensor  #: [B, K, E], the keys projected as queries, for interaction
    keys: Tensor  #: [B, K, E], the keys projected as keys
    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, V]
    item_mask: Tensor  #: [B, N] bool

    def with_values(self, values: Tensor) -> RMRSnapshot:
        """Return the snapshot of cells with these values [B, K, Dv]."""
        items = (self.item_keys, self.item_values, self.item_mask)
        return RMRSnapshot(self.keys, values, *items, self.places)


class RMR(MemoryCore[RMRState]):
    """Recurrent memory reconstruction (Yoon et al. 2020): K imaginary cells replace older items.

    In neural processes the control is the pooled encoding of the step's items; keys and queries are
    locations x. The state advances with or without items.

    Args:
        sizes: given by the model.
        slots: number K of imaginary cells; default: 25, as in the paper.
        read_heads: number of heads R; models that read by query have none.
        attention: kind of the attention, for interaction and reading.
        attention_heads: heads of multihead attention.
        key_range: the initial keys are drawn from -key_range to key_range; default: the range of
            the model's keys.
        separate_weights: give each cell's value tracker its own weights; the authors' share theirs.
        without_flow_tracking: ablation. No value trackers: the proposals are the previous values.
        without_flow_interaction: ablation. No attention between values: the proposals are the
            values, and the value trackers get the control, which summarises the items.
        stochastic_keys: draw the keys from Gaussians.

    Raises:
        ValueError: a number is too small, both ablations are on, weights are separate without
            value trackers or for maps, queries and keys differ in width, or ``attention`` is
            unknown.
    """

    starts_empty = False

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        read_heads: int = 5,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
        key_range: float | None = None,
        separate_weights: bool = False,
        without_flow_tracking: bool = False,
        without_flow_interaction: bool = False,
        stochastic_keys: bool = False,
    ) -> None:
        super().__init__(sizes)
        self.slots = slots = sizes.slots_of(slots, 25)
        self.noise_size = slots * sizes.key * stochastic_keys
        self.read_heads = 0 if sizes.query else read_heads
        require_at_least(1, slots=slots, attention_heads=attention_heads, read_heads=read_heads)
        key_range = sizes.key_range if key_range is None else key_range
        require_positive(key_range=key_range)
        if without_flow_tracking and separate_weights:
            raise ValueError(
                "separate_weights must be false with without_flow_tracking, which has no value "
                f"trackers, got {separate_weights}"
            )
        if sizes.maps is not None and separate_weights:
            raise ValueError(f"separate_weights must be false for maps, got {separate_weights}")
        if without_flow_tracking and without_flow_interaction:
            raise ValueError(
                "without_flow_tracking must be false with without_flow_interaction, or nothing "
                f"computes values, got {without_flow_tracking}"
            )
        require_as_wide_as_keys(sizes.query, sizes.key)
        self.tracks, self.interacts = not without_flow_tracking, not without_flow_interaction
        self.not_carried = ("key_parameters", "attended_keys", "read_weights")
        if not (self.tracks and self.interacts):  # proposals equal values
            self.not_carried += ("proposals",) if self.tracks else ("proposals", "value_cells")
        self.attention = make_attention(attention, sizes.key, sizes.value, attention_heads)
        self._build_trackers(separate_weights)
        self._build_start(key_range)
        if self.read_heads:
            self.read_keys = nn.Linear(sizes.control, self.read_heads * sizes.key)
            self._start_as_associative_memory()

    def _build_trackers(self, separate_weights: bool) -> None:
        """Build the trackers, all as wide as a value, as in the paper."""
        K, (control, key, value) = self.slots, self.sizes[:3]
        # One tracker for all keys (section 3.1.1): each key depends on all previous keys.
        self.key_tracker = LSTMCell(K * key + control, value)
        outputs = K * key * (2 if self.noise_size else 1)
        hidden, output = glorot_linear(value, value), glorot_linear(value, outputs)
        self.key_output = nn.Sequential(hidden, nn.ReLU(), output)
        if self.tracks:
            inputs = key, value + (0 if self.interacts else control)
            separate = K if separate_weights else None
            self.value_tracker = make_tracker(separate, *inputs, value, self.sizes.maps)
        else:
            self._start_at_rest()

    @torch.no_grad()
    def _start_at_rest(self) -> None:
        """Start with orthogonal value projections: without trackers steps are linear in values.

        With the authors' initialisation the spectral radius of the two projections is up to 1.3, so
        that values may grow by factors of hundreds in 50 steps. Orthogonal projections keep the
        length of the cells' common component.
        """
        if isinstance(self.attention, MultiheadAttention):
            for layer in (self.attention.values, self.attention.output):
                nn.init.orthogonal_(layer.weight)

    def _build_start(self, key_range: float) -> None:
        """Create the learned initial keys and values."""
        keys = torch.empty(self.slots, self.sizes.key).uniform_(-key_range, key_range)
        values = torch.empty(self.slots, self.sizes.value).uniform_(-VALUE_RANGE, VALUE_RANGE)
        self.initial_keys, self.initial_values = nn.Parameter(keys), nn.Parameter(values)

    @torch.no_grad()
    def _start_as_associative_memory(self) -> None:
        """Start with one cell per step's item, kept for ten steps, and heads at spread lags.

        Each imaginary key stays at the clock hands of one step. In that step its cell attends to
        the item; in all others, to its own proposal, which is its previous value.
        """
        clock, key, steps = self.sizes.clock, self.sizes.key, self.sizes.steps
        if not (clock and self.interacts and isinstance(self.attention, MultiheadAttention)):
            return
        attend_by_hands(self.attention, clock)
        times = [round(cell * max(1, steps / self.slots)) for cell in range(self.slots)]
        self.initial_keys.zero_()[:, : 2 * len(clock)] = hands_at(times, clock)
        self.initial_values.mul_(0.1)  # empty at first
        weight, bias = self.key_output[2].parameters()
        weight.mul_(0.02)
        bias.unflatten(0, (self.slots, -1))[:, :key] = self.initial_keys
        if self.tracks:
            self.value_tracker.start_copying(first=key)
        ask_for_lags(self.read_keys, spread_lags(self.read_heads, steps), clock)

    def initial_state(self, batch_size: int, like: Tensor) -> RMRState:
        """Return the learned cells, trackers at zero and no items."""
        B, K, value = batch_size, self.slots, self.sizes.value
        keys = self.initial_keys.to(like.dtype).expand(B, -1, -1)
        widths = self.attention.prepared_sizes
        return RMRState(
            keys=keys,
            values=self.initial_values.to(like.dtype).expand(B, -1, -1),
            key_parameters=like.new_zeros(B, K, 2 * self.sizes.key * bool(self.noise_size)),
            key_hidden=like.new_zeros(B, value),
            key_cell=like.new_zeros(B, value),
            proposals=like.new_zeros(B, K, value),
            value_cells=like.new_zeros(B, K, value),
            attended_keys=self.attention.project_keys(self.attention.encode(keys)),
            item_keys=like.new_zeros(B, 0, widths[0]),
            item_values=like.new_zeros(B, 0, widths[1]),
            item_mask=like.new_zeros(B, 0, dtype=torch.bool),
            read_weights=like.new_zeros(B, self.read_heads, K + 1),
        )

    def write(self, state: RMRState, control: Tensor, items: Items) -> RMRState:
        """Compute new keys, then new values with the step's items; older items are dropped."""
        return self.advance(state, control, items)[0]

    def advance(
        self,
        state: RMRState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[RMRState, Tensor]:
        """Write; draw stochastic keys from the posterior if ``observed`` is given."""
        state, kl = self._draw_keys(state, control, observed, noise)
        cells = self._place(state.keys, items)
        state = state._replace(
            attended_keys=cells.keys,
            item_keys=cells.item_keys,
            item_values=cells.item_values,
            item_mask=cells.item_mask,
        )
        return self._imagine_values(state, control, cells), kl

    def unroll(
        self,
        controls: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Recollections:
        """Write all steps: first all keys, which do not depend on values, then values step by step.

        Between the two the attention projects the keys and items of all steps at once.
        """
        state = self.initial_state(len(controls), like=controls)
        keys, kl = self._draw_all_keys(state, controls, observed, noise)
        cells = self._place(keys, items)
        values = []
        for control, *step in zip(controls.unbind(1), *(p.unbind(1) for p in cells), strict=True):
            state = self._imagine_values(state, control, RMRCells(*step))
            values.append(state.values)
        stacked = torch.stack(values, 1)
        number = stacked.new_full((*stacked.shape[:2], 1), self.slots)
        return Recollections(cells.with_values(stacked), stacked.sum(2), number, kl)

    def key_distribution(self, state: RMRState, control: Tensor) -> Tensor:
        """Return means and log sigmas [B, K, 2 Dk] of the next keys.

        Prior and posterior share the key tracker and differ in the control, a pooled encoding.
        """
        return self._track_keys(state, control).key_parameters

    def _read(self, state: RMRState, control: Tensor) -> tuple[Tensor, RMRState]:
        """Attend to the step's items and the cells with R queries from the control."""
        queries = self.read_keys(control).unflatten(1, (self.read_heads, self.sizes.key))
        memory = self._attended(self._snapshot(state))
        weights = self.attention.weights(self.attention.ask(queries), memory)
        # Averaged over the attention's heads; all items share one column in plots.
        items, cells = weights.mean(1).split([state.item_mask.shape[1], self.slots], 2)
        read_weights = torch.cat([cells, items.sum(2, keepdim=True)], 2)
        reads = self.attention.mix(weights, memory)
        return reads.flatten(1), state._replace(read_weights=read_weights)

    def weightings(self, state: RMRState) -> Weightings:
        """Return the read weights over the cells and, last, over the step's items together.

        There is no write weighting: cells do not belong to single steps.
        """
        return Weightings(read=state.read_weights, write=state.read_weights[:, :0])

    def snapshot(self, state: RMRState, items: Items) -> RMRSnapshot:
        """Return the cells and the step's items, both from the state."""
        return self._snapshot(state)

    def _snapshot(self, state: RMRState) -> RMRSnapshot:
        items = (state.item_keys, state.item_values, state.item_mask)
        return RMRSnapshot(state.attended_keys, state.values, *items, state.keys)

    def lookup(
        self, snapshot: RMRSnapshot, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        """Attend to the step's items and the cells."""
        projected = self.attention.ask(queries, real)
        return self.attention.attend(projected, self._attended(snapshot), real)

    def pool(self, state: RMRState) -> tuple[Tensor, Tensor]:
        """Sum the cells' values."""
        return state.values.sum(1), state.values.new_full((len(state.values), 1), self.slots)

    def _track_keys(self, state: RMRState, control: Tensor) -> RMRState:
        """Advance the key tracker, which outputs the new keys or their Gaussians (eq. 6)."""
        before = (state.key_hidden, state.key_cell)
        hidden, cell = self.key_tracker(*before, state.keys.flatten(1), control)
        parameters = self.key_output(hidden).unflatten(1, (self.slots, -1))
        if self.noise_size:
            means, log_sigmas = parameters.chunk(2, 2)
            parameters = torch.cat([means, LOG_SIGMA_RANGE.kept(log_sigmas)], 2)
        return state._replace(key_hidden=hidden, key_cell=cell, key_parameters=parameters)

    def _draw_keys(
        self, state: RMRState, control: Tensor, observed: Tensor | None, noise: Tensor | None
    ) -> tuple[RMRState, Tensor]:
        """Compute new keys; the state keeps their parameters only if they are stochastic.

        Returns:
            state; kl: [B], KL of the keys' posterior if ``observed`` is given, else 0.
        """
        before, state = state, self._track_keys(state, control)
        kl, parameters = control.new_zeros(len(control)), state.key_parameters
        if not self.noise_size:
            return state._replace(keys=parameters, key_parameters=parameters[:, :, :0]), kl
        # The tracker's state depends on the prior's control alone; the posterior influences only
        # the keys, so that the KL covers all its information in the state.
        if observed is not None:
            parameters = self.key_distribution(before, observed)
            kl = kl_divergence(parameters.chunk(2, 2), state.key_parameters.chunk(2, 2)).sum(1)
        means, log_sigmas = parameters.chunk(2, 2)
        noise = torch.randn_like(means) if noise is None else noise.view_as(means)
        keys = means + log_sigmas.exp() * noise
        return state._replace(keys=keys, key_parameters=parameters), kl

    def _draw_all_keys(
        self, state: RMRState, controls: Tensor, observed: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Draw the keys [B, T, K, Dk] of all steps; return them and the KL [B, T]."""
        keys, kl = [], []
        for t, control in enumerate(controls.unbind(1)):
            inputs = (None if part is None else part[:, t] for part in (observed, noise))
            state, divergence = self._draw_keys(state, control, *inputs)
            keys.append(state.keys)
            kl.append(divergence)
        return torch.stack(keys, 1), torch.stack(kl, 1)

    def _place(self, keys: Tensor, items: Items) -> RMRCells:
        """Project keys and items for the attention, of one step or of many."""
        codes = self.attention.encode(keys)
        queries = self.attention.project_queries(codes)
        projected = self.attention.project_keys(codes)
        real = self.attention.prepare(*items)
        return RMRCells(keys, queries, projected, real.keys, real.values, real.mask)

    def _imagine_values(self, state: RMRState, control: Tensor, cells: RMRCells) -> RMRState:
        """Compute new values: each cell proposes one, then proposals and items interact."""
        state = self._track_values(state._replace(keys=cells.places), control)
        if not self.interacts:
            return state._replace(values=state.proposals)
        # Eq. 9, Self-Attend(C_t and proposals; X_t): the imaginary keys are the queries.
        proposals = self._attended(cells.with_values(state.proposals))
        return state._replace(values=self.attention.attend(cells.queries, proposals))

    def _track_values(self, state: RMRState, control: Tensor) -> RMRState:
        """Advance the value trackers (eq. 8); without them, propose the previous values."""
        if not self.tracks:
            return state._replace(proposals=state.values)
        # The new key and the previous value v_{t-1}, not the previous proposal.
        inputs = [state.keys, state.values]
        if not self.interacts:
            inputs.append(control.unsqueeze(1).expand(-1, self.slots, -1))
        proposals, cells = self.value_tracker(state.proposals, state.value_cells, *inputs)
        return state._replace(proposals=proposals, value_cells=cells)

    def _attended(self, snapshot: RMRSnapshot) -> Prepared:
        """Join items and cells for the attention."""
        real = Prepared(snapshot.item_keys, snapshot.item_values, snapshot.item_mask)
        always = real.mask.new_ones(*real.mask.shape[:-1], self.slots)
        values = self.attention.project_values(snapshot.values)
        return real.joined(Prepared(snapshot.keys, values, always, never_empty=True))
