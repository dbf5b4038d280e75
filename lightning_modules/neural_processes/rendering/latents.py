"""Latents of Temporal-ConvDRAW: several draws per step, each refining the previous one.

Singh et al. 2019, as in their code (`models/tgqn_pd.py`), with the changes of Yoon et al. 2020
(A.2): three draws, latents of 4 maps, states of 40. In step t

    s_t        = ConvLSTM(s_{t-1}; z_{t-1}, C_t)
    z_t^i      ~ P(h^P_{i-1}), or Q(h^Q_i) given the targets
    h^Q_i      = ConvLSTM(h^Q_{i-1}; h^P_{i-1}, D_t, s_t)
    h^P_i      = ConvLSTM(h^P_{i-1}; z_t^i, C_t, s_t)

with h^P_0 = h^Q_0 = 0, so that the first draw's prior is the same in every step: only a second draw
can depend on the context. C_t pools the step's context and the memory's values; D_t is the state of
a ConvLSTM that reads C and the pooled targets from the last step to the first. z_t is the last draw
of step t, and the KL covers all draws. These cells see encodings only, no images.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.neural_processes.latents import Evidence, LatentPath, Latents
from lightning_modules.neural_processes.pool import Pool, Pooling
from lightning_modules.neural_processes.rendering.shapes import MapShapes
from memory_cores.parts.conv_lstm import ConvLSTMCell
from memory_cores.parts.gaussian import DiagonalGaussian
from memory_cores.parts.same_convolution import SameConvolution

#: Maps a cell state and inputs, the hidden state last, to the new hidden and cell states.
Step = Callable[..., tuple[Tensor, Tensor]]


class State(NamedTuple):
    """Maps [B, S, H, W] of a ConvLSTM."""

    hidden: Tensor
    cell: Tensor


class GaussianHead(nn.Module):
    """Maps a state to the Gaussian of a draw, by one convolution.

    Args:
        shapes: sizes of the maps.
    """

    def __init__(self, shapes: MapShapes) -> None:
        super().__init__()
        self.convolution = SameConvolution(
            shapes.state_maps, 2 * shapes.latent_maps, shapes.kernel_size
        )

    def forward(self, hidden: Tensor) -> DiagonalGaussian:
        """Return means and log standard deviations [B, Z H W], from log variances."""
        mean, log_variance = self.convolution(hidden).chunk(2, 1)
        return DiagonalGaussian(mean.flatten(1), 0.5 * log_variance.flatten(1))


class ConvDrawLatents(LatentPath):
    """Draws latents given the earlier draws' states and the pooled sets.

    Args:
        size: maps h of an encoding.
        pooling: how encodings are pooled.
        shapes: sizes of the maps.
    """

    def __init__(self, size: int, pooling: Pooling, shapes: MapShapes) -> None:
        super().__init__(pooling)
        self.size, self.shapes = size, shapes
        self.noise_size = shapes.draws * shapes.latent_maps * shapes.pixels
        state, latent, kernel = shapes.state_maps, shapes.latent_maps, shapes.kernel_size
        # Added to every pooled set; the encoding of an empty one.
        self.code = nn.Parameter(torch.zeros(size, *shapes.area))
        self.transition = ConvLSTMCell(size + latent, state, kernel)
        self.prior_cell = ConvLSTMCell(size + latent + state, state, kernel)
        self.posterior_cell = ConvLSTMCell(size + 2 * state, state, kernel)
        self.looking_back = ConvLSTMCell(size, size, kernel)
        self.prior, self.posterior = GaussianHead(shapes), GaussianHead(shapes)
        self.first_state = nn.Parameter(torch.zeros(2, state, *shapes.area))
        self.first_latent = nn.Parameter(torch.randn(latent, *shapes.area))

    @property
    def state_size(self) -> int:
        """The transition's state and the latent."""
        return (2 * self.shapes.state_maps + self.shapes.latent_maps) * self.shapes.pixels

    @property
    def sample_size(self) -> int:
        """Width of a sample: the state s_t, then the latent z_t."""
        return (self.shapes.state_maps + self.shapes.latent_maps) * self.shapes.pixels

    def forward(self, evidence: Evidence, noise: Tensor) -> Latents:
        """Draw the latents of one step after another."""
        context = self._maps(evidence.context.joined(evidence.memory))
        targets = None
        if evidence.target is not None:
            both = context + self._maps(evidence.target)
            targets = self.looking_back.unroll(both.flip(1)).flip(1)
        transition, prior_cell, posterior_cell = (
            cell.split(self.size, self.shapes.area)
            for cell in (self.transition, self.prior_cell, self.posterior_cell)
        )
        # Inputs that are known beforehand are convolved for all steps at once.
        to_state, to_prior = (cell.known_steps(context) for cell in (transition, prior_cell))
        to_posterior = None if targets is None else posterior_cell.known_steps(targets)
        state = State(*(part.expand(len(noise), -1, -1, -1) for part in self.first_state))
        latent = self.first_latent.expand(len(noise), -1, -1, -1)
        samples, gaussians, prior_states = [], [], []
        for t, draws in enumerate(noise.unflatten(2, (self.shapes.draws, -1)).unbind(1)):
            state = State(*transition.step(to_state[t], state.cell, latent, state.hidden))
            cells = (
                partial(prior_cell.step, to_prior[t]),
                None if to_posterior is None else partial(posterior_cell.step, to_posterior[t]),
            )
            latent, gaussian, prior_state = self._draw(state.hidden, *cells, draws)
            samples.append(torch.cat([state.hidden, latent], 1).flatten(1))
            gaussians.append(gaussian)
            prior_states.append(prior_state)
        drawn_from = DiagonalGaussian(*(torch.stack(p, 1) for p in zip(*gaussians, strict=True)))
        prior = drawn_from if targets is None else self._priors(torch.stack(prior_states, 1))
        return Latents(torch.stack(samples, 1), prior, drawn_from)

    def _draw(
        self, state: Tensor, step_prior: Step, step_posterior: Step | None, noise: Tensor
    ) -> tuple[Tensor, DiagonalGaussian, Tensor]:
        """Draw the latents of a step, with noise [B, draws, Z H W].

        Args:
            state: s_t, [B, S, H, W].
            step_prior: one step of h^P, given the step's context.
            step_posterior: one step of h^Q, given its targets; None to draw from the prior.
            noise: standard normal.

        Returns:
            The last latent; the Gaussians [B, N] of all draws; the states h^P before each draw,
            [B, draws, S, H, W].
        """
        p = q = State(*(torch.zeros_like(state) for _ in range(2)))
        gaussians, prior_states = [], [p.hidden]
        for noise_i in noise.unbind(1):
            if step_posterior is None:
                gaussian = self.prior(p.hidden)
            else:
                q = State(*step_posterior(q.cell, p.hidden, state, q.hidden))
                gaussian = self.posterior(q.hidden)
            latent = gaussian.sample(noise_i).unflatten(1, (-1, *self.shapes.area))
            gaussians.append(gaussian)
            if len(prior_states) < self.shapes.draws:  # the state after the last draw is not used
                p = State(*step_prior(p.cell, latent, state, p.hidden))
                prior_states.append(p.hidden)
        joined = DiagonalGaussian(*(torch.cat(p, 1) for p in zip(*gaussians, strict=True)))
        return latent, joined, torch.stack(prior_states, 1)

    def _priors(self, states: Tensor) -> DiagonalGaussian:
        """Return the priors [B, T, N] of all draws, from the states [B, T, draws, S, H, W]."""
        priors = self.prior(states.flatten(0, 2))
        return DiagonalGaussian(*(p.unflatten(0, states.shape[:3]).flatten(2) for p in priors))

    def _maps(self, pool: Pool) -> Tensor:
        """Pool encodings to maps [B, T, h, H, W], and add the code."""
        return pool.pooled(self.pooling).unflatten(2, (-1, *self.shapes.area)) + self.code
