"""The sequential-latent backbone: controller, memory core, prior, posterior and sample.

It is the recurrent part of a model. Encoders run before it on all frames at once; decoders,
likelihoods and divergences run after it. One step, in the order of Gemici et al. 2017, section 3:

    h_t        = controller(h_{t-1}, [z_{t-1}; reads_{t-1}], evidence_t)      eq. 13
    memory_t   = write z_{t-1} under [h_t; key h_{t-1}]
    reads_t    = read under h_t                                               eqs. 14 to 16
    psi_t      = [reads_t; h_t]                                               or eq. 12
    z_t        ~ posterior q(z_t | psi_t, x_t), or prior p(z_t | psi_t)       eqs. 7 and 8

The paper's indices differ between its equations: eq. 16 reads M_{t-1}, eq. 13 has M_t written from
z_{t-1}. Here the write comes first, so that the newest latent can be read in the next step, and
the move into x_t (part of evidence_t) reaches the prior of x_t. So a core writes from
[h_t; h_{t-1}; z_{t-1}], whereas in the cores' own papers it sees the controller's output alone.
Cores with ``context_includes_control = False`` keep reads out of the controller (eq. 9) and h_t out
of psi_t (eq. 12).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.speed.compiled_steps import CompiledSteps, span_sizes
from lightning_modules.speed.cuda_graphs import CapturedGraphs
from lightning_modules.temporal_vaes.controller import Controller, ControllerState
from memory_cores import Items, MemoryCore, Weightings
from memory_cores.parts.gaussian import DiagonalGaussian, kl_divergence


class BackboneState(NamedTuple):
    """State that one step hands to the next."""

    controller: ControllerState
    memory: NamedTuple
    reads: Tensor  #: [B, C]
    latent: Tensor  #: [B, Z]
    drawn: Tensor  #: [B, 1] bool, False until the first latent is drawn


class Step(NamedTuple):
    """Outputs of a step; for several steps, with a leading dimension S."""

    latent: Tensor  #: [B, Z]
    psi: Tensor  #: [B, P]
    parameters: Tensor  #: [B, 2 Z], of the Gaussian that the latent was drawn from
    gate_inputs: Tensor  #: [B, H + F], detached, of the controller's recurrent gates
    memory_kl: Tensor  #: [B] nats, of the core's own samples

    @property
    def last(self) -> "Step":
        """The last of several steps."""
        return Step(*(part[-1] for part in self))


class Trajectory(NamedTuple):
    """An unrolled sequence."""

    latent: Tensor  #: [B, T, Z]
    psi: Tensor  #: [B, T, P]
    prior: DiagonalGaussian  #: [B, T, Z]
    posterior: DiagonalGaussian  #: [B, T, Z]; equal to the prior at generated steps
    memory_kl: Tensor  #: [B, T] nats, of the core's own samples; 0 at generated steps
    weightings: Weightings | None  #: [B, T, heads, N], on request
    control: Tensor | None  #: [B, T, H], the controller's states, on request

    @property
    def kl(self) -> Tensor:
        """KL of the latents and of the core's own samples, [B, T] nats."""
        return kl_divergence(self.posterior, self.prior) + self.memory_kl


#: Changes the state before step t.
Edit = Callable[[int, BackboneState], BackboneState]


def nothing_to_imagine(t: int, step: Step) -> Tensor:
    """Raise an error: the default for sequences whose evidence is known to the end."""
    raise ValueError(f"evidence must cover all steps, or imagine supply it, got none for step {t}")


def psi_size(memory: MemoryCore, controller_size: int) -> int:
    """Return the width P of psi: the reads and, if the context includes control, h_t."""
    return memory.context_size + (controller_size if memory.context_includes_control else 0)


class Backbone(nn.Module):
    """Controller, memory core and latent maps.

    Args:
        memory: the core; it writes latents with the controller's state as key.
        evidence_size: width E of the inputs that are known before the unroll.
        feature_size: width F of an encoded frame.
        latent_size: width Z of a latent.
        controller_size: width H of the controller's state.
        map_size: hidden units of the prior and posterior maps; 0 makes them linear.
        compile: compile the steps whose evidence and frame are known, if gradients are needed; on
            CUDA, capture them all as one graph.
    """

    def __init__(
        self,
        memory: MemoryCore,
        evidence_size: int,
        feature_size: int,
        latent_size: int,
        controller_size: int,
        map_size: int,
        compile: bool = False,
    ) -> None:
        super().__init__()
        # Not bound to this module, so that a compiled function also serves copies of it.
        self.compiled_steps = CompiledSteps(Backbone.known_steps) if compile else None
        self.cuda_graphs = CapturedGraphs(self, self._known_loop) if compile else None
        self.latent_size = latent_size
        self.memory = memory
        # Eq. 13 feeds the reads back; without them (eq. 9) the controller sees the latent alone.
        self.feedback_size = latent_size
        if memory.context_includes_control:
            self.feedback_size += memory.context_size
        self.controller = Controller(evidence_size, self.feedback_size, controller_size)
        self.psi_size = psi_size(memory, controller_size)
        self.prior_map = PriorMap(self.psi_size, map_size, latent_size)
        self.posterior_map = PosteriorMap(self.psi_size, feature_size, map_size, latent_size)
        self.memory_observe: nn.Linear | None = None
        if memory.noise_size:
            self.memory_observe = nn.Linear(feature_size, controller_size, bias=False)

    def initial_state(self, batch_size: int, like: Tensor) -> BackboneState:
        """Return the state before the first step, on the device and in the dtype of ``like``."""
        return BackboneState(
            controller=self.controller.initial_state(batch_size, like),
            memory=self.memory.initial_state(batch_size, like),
            reads=like.new_zeros(batch_size, self.memory.context_size),
            latent=like.new_zeros(batch_size, self.latent_size),
            drawn=torch.zeros(batch_size, 1, dtype=torch.bool, device=like.device),
        )

    @property
    def state_size(self) -> int | None:
        """Numbers that a step hands to the next: h_t and its cell, feedback, the core's state."""
        memory = self.memory.state_size
        if memory is None:
            return None
        return 2 * self.controller.hidden_size + self.feedback_size + memory

    @property
    def noise_size(self) -> int:
        """Standard normal numbers per step: Z for the latent, then the core's."""
        return self.latent_size + self.memory.noise_size

    def advance(
        self,
        state: BackboneState,
        evidence: Tensor,
        late: bool = False,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[BackboneState, Tensor, Tensor]:
        """Update controller and memory for one step, before its latent is drawn.

        Args:
            state: the previous step's state.
            evidence: [B, 4 H], this step's row of ``controller.evidence_gates``.
            late: whether the row is one of ``controller.known_gates``.
            observed: [B, H], the frame's part of the core's posterior, if the frame is known.
            noise: [B, memory.noise_size], for a stochastic core.

        Returns:
            state: the new state, still with the previous step's latent; psi: [B, P]; kl: [B], of
            the core's own samples.
        """
        # z_{t-1} was drawn under h_{t-1}, which is its key; the controller then moves on to h_t.
        key = state.controller.hidden
        includes_control = self.memory.context_includes_control
        feedback = torch.cat([state.latent, state.reads], 1) if includes_control else state.latent
        controller = self.controller.step(state.controller, evidence, feedback, late)
        # ``drawn`` masks the first step's item: z_0 does not exist, and nothing is written for it.
        item = Items(key.unsqueeze(1), state.latent.unsqueeze(1), state.drawn)
        if observed is not None:
            observed = controller.hidden + observed
        reads, memory, kl = self.memory.write_and_read(
            state.memory, controller.hidden, item, observed, noise
        )
        psi = torch.cat([reads, controller.hidden], 1) if includes_control else reads
        return BackboneState(controller, memory, reads, state.latent, state.drawn), psi, kl

    def step(
        self,
        state: BackboneState,
        evidence: Tensor,
        noise: Tensor,
        observed: Tensor | None,
        late: bool = False,
    ) -> tuple[BackboneState, Step]:
        """Advance one step and draw its latent: from the posterior if ``observed``, else the prior.

        Args:
            state: the previous step's state.
            evidence: [B, 4 H], this step's row of ``controller.evidence_gates``.
            noise: [B, noise_size], standard normal.
            observed: [B, map width], this step's row of ``observe``, or None.
            late: whether the row is one of ``controller.known_gates``.
        """
        for_memory: list[Tensor | None] = [None, None]
        if self.memory.noise_size:
            noise, for_memory[1] = noise.split([self.latent_size, self.memory.noise_size], 1)
            if observed is not None:
                observed, for_memory[0] = observed.tensor_split([self.posterior_map.width], 1)
        state, psi, kl = self.advance(state, evidence, late, *for_memory)
        parameters = self.prior_map(psi) if observed is None else self.posterior_map(psi, observed)
        latent = DiagonalGaussian.from_parameters(parameters).sample(noise)
        state = state._replace(latent=latent, drawn=torch.ones_like(state.drawn))
        return state, Step(latent, psi, parameters, state.controller.gate_inputs, kl)

    def observe(self, features: Tensor) -> Tensor:
        """Map encoded frames [..., F] to their part of the posterior, [..., map width].

        For a stochastic core, H more numbers follow, which are added to its control.
        """
        observed = self.posterior_map.observe(features)
        if self.memory_observe is None:
            return observed
        return torch.cat([observed, self.memory_observe(features)], -1)

    def known_steps(
        self, state: BackboneState, evidence: Tensor, noise: Tensor, observed: Tensor
    ) -> tuple[BackboneState, Step]:
        """Take several steps with known evidence and frames, as one function to be compiled.

        Args:
            state: the previous step's state.
            evidence: [S, B, 4 H], rows of ``controller.known_gates``.
            noise: [S, B, noise_size], standard normal.
            observed: [S, B, map width], rows of ``observe``.
        """
        steps = []
        for inputs in zip(evidence.unbind(), noise.unbind(), observed.unbind(), strict=True):
            state, step = self.step(state, *inputs, late=True)
            steps.append(step)
        return state, Step(*(torch.stack(parts) for parts in zip(*steps, strict=True)))

    def unroll(
        self,
        evidence: Tensor,
        features: Tensor,
        noise: Tensor,
        imagine: Callable[[int, Step], Tensor] = nothing_to_imagine,
        record: bool = False,
        edit: Edit | None = None,
    ) -> Trajectory:
        """Unroll over T steps; latents come from the posterior where features are given.

        Args:
            evidence: [B, K, E], of the first K <= T steps.
            features: [B, S, F], encoded frames of the first S <= T steps. Later steps draw their
                latents from the prior.
            noise: [B, T, noise_size], standard normal.
            imagine: returns the evidence [B, E] of step t >= K from step t - 1, for models whose
                recurrence sees frames that they must generate first.
            record: keep the weightings and the controller's states of every step.
            edit: changes the state before every step, for probes.
        """
        known = evidence.shape[1] == features.shape[1] == noise.shape[1]
        plain = not record and edit is None
        if self.cuda_graphs is not None and noise.is_cuda and known and plain:
            latent, psi, prior, posterior, kl = self.cuda_graphs(evidence, features, noise)
            return Trajectory(latent, psi, prior, posterior, kl, None, None)
        return self._loop(evidence, features, noise, imagine, record, edit)

    def _known_loop(self, evidence: Tensor, features: Tensor, noise: Tensor) -> tuple[Any, ...]:
        """Unroll over steps with known inputs; return tensors only, as a graph requires."""
        return self._loop(evidence, features, noise)[:-2]

    def _loop(
        self,
        evidence: Tensor,
        features: Tensor,
        noise: Tensor,
        imagine: Callable[[int, Step], Tensor] = nothing_to_imagine,
        record: bool = False,
        edit: Edit | None = None,
    ) -> Trajectory:
        gate_inputs: list[Tensor] = []
        gates = self.controller.known_gates(evidence, gate_inputs)
        observed = self.observe(features.transpose(0, 1))
        noise = noise.transpose(0, 1)
        # Recording weightings or editing the state needs the state after every single step.
        known = 0 if record or edit else min(len(gates), len(observed))
        state = self.initial_state(noise.shape[1], noise)
        state, steps = self._take_known(state, known, gates, noise, observed)
        weightings: list[Weightings] = []
        controls: list[Tensor] = []
        for t in range(known, len(noise)):
            state = edit(t, state) if edit else state
            late = t < len(gates)
            gates_t = gates[t] if late else self._imagined_gates(imagine, t, steps)
            observed_t = observed[t] if t < len(observed) else None
            state, step = self.step(state, gates_t, noise[t], observed_t, late)
            steps.append(Step(*(part.unsqueeze(0) for part in step)))
            if record:
                weightings.append(self.memory.weightings(state.memory))
                controls.append(state.controller.hidden)
        outputs = Step(*(torch.cat(parts) for parts in zip(*steps, strict=True)))
        # ``LateGradient`` reads the list only in the backward pass, so this is early enough.
        # Imagined steps are left out: they use the weight itself, not detached.
        gate_inputs.append(outputs.gate_inputs[: len(gates)])
        return self._trajectory(outputs, weightings, controls)

    def _take_known(
        self, state: BackboneState, known: int, *parts: Tensor
    ) -> tuple[BackboneState, list[Step]]:
        """Take the first steps, whose evidence, noise and frames [S, B, ...] are known."""
        trains = torch.is_grad_enabled() and not parts[0].is_cuda
        compiled = self.compiled_steps if trains else None
        size = compiled.size_with(self.memory) if compiled else None
        sizes = span_sizes(known, size)
        # One split, whose gradient is one operator; each slice's gradient would be as large as the
        # whole tensor.
        spans = (part.split([*sizes, len(part) - known])[:-1] for part in parts)
        outputs = []
        for span in zip(*spans, strict=True):
            run = compiled if compiled and len(span[0]) == size else Backbone.known_steps
            state, steps = run(self, state, *span)
            outputs.append(steps)
        return state, outputs

    def _imagined_gates(
        self, imagine: Callable[[int, Step], Tensor], t: int, steps: list[Step]
    ) -> Tensor:
        """Imagine the evidence of step t from the step before, and map it to gates [B, 4 H]."""
        return self.controller.evidence_gates(imagine(t, steps[-1].last))

    def _trajectory(
        self, steps: Step, weightings: list[Weightings], controls: list[Tensor]
    ) -> Trajectory:
        latent, psi, drawn_from, _, memory_kl = (part.transpose(0, 1) for part in steps)
        return Trajectory(
            latent=latent,
            psi=psi,
            prior=DiagonalGaussian.from_parameters(self.prior_map(psi)),
            # Generated steps drew from the prior: there both are equal and the KL is 0.
            posterior=DiagonalGaussian.from_parameters(drawn_from),
            memory_kl=memory_kl,
            weightings=Weightings(*(torch.stack(w, 1) for w in zip(*weightings, strict=True)))
            if weightings
            else None,
            control=torch.stack(controls, 1) if controls else None,
        )


class LatentMap(nn.Module):
    """Base of the prior and the posterior map: psi, at most one hidden layer, 2 Z outputs."""

    def __init__(self, psi_size: int, map_size: int, latent_size: int) -> None:
        super().__init__()
        self.width = map_size or 2 * latent_size
        self.from_psi = nn.Linear(psi_size, self.width)
        self.output = (
            nn.Sequential(nn.ReLU(), nn.Linear(self.width, 2 * latent_size))
            if map_size
            else nn.Identity()
        )


class PriorMap(LatentMap):
    """Maps psi to the prior's parameters (eq. 7)."""

    def forward(self, psi: Tensor) -> Tensor:
        """Return [..., 2 Z]: means, then log standard deviations."""
        return self.output(self.from_psi(psi))


class PosteriorMap(LatentMap):
    """Maps psi and an encoded frame to the posterior's parameters (eq. 8).

    The frame's part is linear up to the hidden layer, so ``observe`` computes it before the loop
    for all steps at once.
    """

    def __init__(self, psi_size: int, feature_size: int, map_size: int, latent_size: int) -> None:
        super().__init__(psi_size, map_size, latent_size)
        self.observe = nn.Linear(feature_size, self.width, bias=False)

    def forward(self, psi: Tensor, observed: Tensor) -> Tensor:
        """Return [..., 2 Z] from psi and the frame's part, the output of ``observe``."""
        return self.output(self.from_psi(psi) + observed)
