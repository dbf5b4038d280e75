"""Latents z_t of a sequence of tasks: independent, or each given those before (eqs. 1 and 2).

The sets of prior and posterior are pooled beforehand for all steps; the two share one head.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.neural_processes.networks import LatentHead
from lightning_modules.neural_processes.pool import Pool, Pooling
from lightning_modules.speed.late_gradient import LateLinear
from memory_cores.parts.gaussian import DiagonalGaussian
from memory_cores.parts.lstm import LSTMCell, lstm_step


class Evidence(NamedTuple):
    """Sets that latents are drawn from, by step."""

    context: Pool  #: encodings of the step's context
    memory: Pool  #: values stored in memory; empty where latents do not pool them
    target: Pool | None  #: encodings of the step's targets, None where these are unknown

    def repeated(self, samples: int) -> "Evidence":
        """Repeat the evidence for each of K samples; the first dimension is then K * B."""
        return Evidence(
            context=self.context.repeated(samples),
            memory=self.memory.repeated(samples),
            target=self.target and self.target.repeated(samples),
        )


class Latents(NamedTuple):
    """A sample with its prior and posterior; drawn from the posterior if targets are known."""

    sample: Tensor  #: [B, T, Z], the decoder's input
    prior: DiagonalGaussian  #: [B, T, N], N being ``noise_size``
    posterior: DiagonalGaussian  #: [B, T, N]; equal to the prior if the targets are unknown


class LatentPath(nn.Module, ABC):
    """Base class: how the latents of successive steps depend on one another.

    Args:
        pooling: how encodings are pooled.
    """

    #: Standard normal numbers N per step.
    noise_size: int

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling: Pooling = pooling

    @property
    @abstractmethod
    def state_size(self) -> int:
        """Numbers that a step hands to the next."""

    @abstractmethod
    def forward(self, evidence: Evidence, noise: Tensor) -> Latents:
        """Draw the latents of T steps with standard normal noise [B, T, N]."""


class IndependentLatents(LatentPath):
    """Latents z_t given all sets up to step t, independent of earlier latents (NP, ANP).

    Args:
        size: width h of encodings and latents.
        pooling: how encodings are pooled.
    """

    def __init__(self, size: int, pooling: Pooling) -> None:
        super().__init__(pooling)
        self.head, self.noise_size = LatentHead(size), size

    @property
    def state_size(self) -> int:
        """The running sum of encodings, h, and for a mean their number."""
        return self.head.size + (self.pooling == "mean")

    def forward(self, evidence: Evidence, noise: Tensor) -> Latents:
        """Draw the latents of all steps at once."""
        prior = self.head(self._pooled(evidence.context, evidence.memory))
        posterior = prior
        if evidence.target is not None:
            posterior = self.head(self._pooled(evidence.target, evidence.memory))
        return Latents(posterior.sample(noise), prior, posterior)

    def _pooled(self, points: Pool, memory: Pool) -> Tensor:
        return points.so_far().joined(memory).pooled(self.pooling)


class SequentialLatents(LatentPath):
    """Latents z_t given h_t = LSTM(h_{t-1}, z_{t-1} + r_t) and the step's set (SNP, ASNP).

    r_t pools the step's context. The head sees h_t plus a pooled set: the context for the prior,
    the targets for the posterior, either one joined with the memory's values.

    Args:
        size: width h of encodings, latents and the LSTM's state.
        pooling: how encodings are pooled.
    """

    def __init__(self, size: int, pooling: Pooling) -> None:
        super().__init__(pooling)
        self.head, self.noise_size = LatentHead(size), size
        self.lstm = LSTMCell(size, size)

    @property
    def state_size(self) -> int:
        """The LSTM's state and the latent, 3 h."""
        return 3 * self.head.size

    def forward(self, evidence: Evidence, noise: Tensor) -> Latents:
        """Draw one latent after another; the prior of all steps is computed after the loop."""
        contexts = evidence.context.pooled(self.pooling)
        for_prior = for_posterior = self._pooled(evidence.context, evidence.memory)
        if evidence.target is not None:
            for_posterior = self._pooled(evidence.target, evidence.memory)
        # The gates are linear in the LSTM's input z_{t-1} + r_t: the part of r_t is computed for
        # all steps at once, and only those of z_{t-1} and h_{t-1} are left for the loop.
        weight, bias = self.lstm.gates.parameters()
        from_context = F.linear(contexts.transpose(0, 1), weight[:, : contexts.shape[2]], bias)
        gates = LateLinear(weight, from_context)
        # ``posterior_of`` returns the prior if no targets are known.
        posterior_of = self.head.step_by_step(for_posterior.transpose(0, 1))
        hidden = cell = latent = torch.zeros_like(noise[:, 0])
        steps = []
        for noise_t in noise.unbind(1):
            hidden, cell = lstm_step(*gates.parts(torch.cat([latent, hidden], 1)), cell)
            posterior = posterior_of(hidden)
            latent = posterior.sample(noise_t)
            steps.append((hidden, latent, *posterior))
        states, latents, *parameters = (torch.stack(parts, 1) for parts in zip(*steps, strict=True))
        drawn_from = DiagonalGaussian(*parameters)
        prior = drawn_from if evidence.target is None else self.head(states + for_prior)
        return Latents(latents, prior, drawn_from)

    def _pooled(self, points: Pool, memory: Pool) -> Tensor:
        return points.joined(memory).pooled(self.pooling)
