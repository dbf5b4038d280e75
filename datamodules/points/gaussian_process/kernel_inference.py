"""Inference of kernels: predictions of drifting functions with unknown kernels.

A sequence's kernels are determined by 4 numbers (starts and velocities of l and s) and the noise of
each step. Sequential Monte Carlo (Chopin 2002; Del Moral, Doucet and Jasra 2006) follows their
posterior given the contexts of steps 1 to t: particles are weighted by the evidence of a step's
context. If that would leave fewer than half of them effective, the evidence is tempered: added in
parts, each as large as leaves half of them effective, after which particles are resampled and moved
by Metropolis steps that target the posterior so far. The predictive distribution of step t is the
particles' mixture, which converges to the exact one with more particles.

Observations have no noise: a function's white noise, 0.02, is part of the function (and of L), so a
point that is seen again has the same value. Since observations are rounded to float32 and rows of L
are interpolated, an error of `NOISE` is assumed.
"""

from collections.abc import Iterator
from math import exp
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.draws import grid_index
from datamodules.points.gaussian_process.factor_table import FactorTable
from datamodules.points.gaussian_process.kernel_drift import KernelDrift
from datamodules.points.gaussian_process.kernel_prior import STARTS, coordinates, paths
from datamodules.points.gaussian_process.oracle import (
    FLOOR,
    Observations,
    nll,
    observations,
    whiten,
)
from datamodules.points.gaussian_process.particles import Particles

#: Assumed standard deviation of the observations' error: above the interpolation error, far below
#: the white noise.
NOISE = 1e-3
#: Metropolis steps after each resampling, alternately of all coordinates and of starts and
#: velocities only.
MOVES = 6
#: Target acceptance rate, to which the proposals' scale adapts.
AIM = 0.25
#: The optimal step of a random walk in d dimensions is STEP / sqrt(d) times the target's spread.
STEP = 2.38
#: Numbers in the rows of particles that are conditioned at once, to fit a cache.
TOGETHER = 400_000


class MixtureNLL(NamedTuple):
    """NLL of actual targets under a mixture over kernels."""

    nll: Tensor
    """NLL of every target, in nats, float64 [T, M]; undefined for padding."""
    effective_samples: Tensor
    """1 / sum of the squared weights of distinct particles, from 1 to N, the least of each step,
    float64 [T]."""


class KernelInference:
    """Sequential Monte Carlo over the kernels of one sequence."""

    def __init__(
        self,
        drift: KernelDrift,
        table: FactorTable,
        sequence: FunctionSequences,
        generator: torch.Generator,
    ) -> None:
        """Store a sequence and the prior of its kernels.

        Args:
            drift: the prior.
            table: factors of all kernels that the prior may draw.
            sequence: a batch of one.
            generator: source of all random numbers.
        """
        self.drift, self.table, self.sequence = drift, table, sequence
        self.generator = generator
        self.seen = observations(sequence, table.points)
        #: Log scale of each kind of proposal.
        self.log_scale = [0.0, 0.0]

    def run(self, number: int) -> MixtureNLL:
        """Follow the posterior over all steps with N particles."""
        steps = self.sequence.task.shape[1]
        particles = Particles.uniform(coordinates(self.drift, number, 1, self.generator))
        nlls, effective = [], []
        for t in range(steps):
            if t > 0:
                noise = self._normal(*particles.place[:, :1].shape)
                particles = particles._replace(place=torch.cat([particles.place, noise], 1))
            particles, least = self._condition(particles, t)
            effective.append(least)
            nlls.append(self._mixture(particles, t))
        return MixtureNLL(torch.stack(nlls), torch.tensor(effective, dtype=torch.float64))

    def _condition(self, particles: Particles, t: int) -> tuple[Particles, float]:
        """Condition on the context of step t; return the least effective sample size, too."""
        if not (self.seen.step == t).any():
            return particles, particles.effective_samples()
        before, now = self._evidence(particles.place, t)
        particles = particles._replace(before=before, now=now)
        remaining, least = 1.0, float(len(now))
        while True:
            increment = particles.next_increment(remaining)
            remaining -= increment
            particles = particles.tempered(increment)
            least = min(least, particles.effective_samples())
            if remaining <= 0:
                return particles, least
            particles = self._rejuvenated(particles, 1 - remaining, t)

    def _rejuvenated(self, particles: Particles, power: float, t: int) -> Particles:
        """Resample particles and move them; `power` is the exponent of step t's evidence."""
        spread = particles.spread()
        particles = particles.resampled(self.generator)
        starts = STARTS * particles.place.shape[2]
        for move in range(MOVES):
            old, kind = particles.place.flatten(1), move % 2
            walked = (old.shape[1], starts)[kind]
            new = self._proposed(old, spread, walked, exp(self.log_scale[kind]))
            place = new.view_as(particles.place)
            before, now = self._evidence(place, t)
            prior = 0.5 * (old.square() - new.square())[:, :walked].sum(1)
            gain = prior + before - particles.before + power * (now - particles.now)
            uniform = torch.rand(len(gain), generator=self.generator, dtype=torch.float64)
            accepted = uniform.log() < gain
            particles = particles.moved(accepted, place, before, now)
            scale = self.log_scale[kind] + accepted.double().mean().item() - AIM
            self.log_scale[kind] = min(max(scale, -5.0), 1.0)
        return particles

    def _proposed(self, old: Tensor, spread: Tensor, walked: int, scale: float) -> Tensor:
        """Propose coordinates [N, D]: the first `walked` of them by a random walk.

        Its steps have the particles' covariance. The other coordinates are partially
        refreshed, which preserves their prior in any dimension.
        """
        step = self._normal(len(spread), len(spread)) @ spread[:, :walked]
        walk = old[:, :walked] + scale * STEP / walked**0.5 * step
        share, noise = min(scale / 2, 1.0), old[:, walked:]
        return torch.cat(
            [walk, (1 - share**2) ** 0.5 * noise + share * self._normal(*noise.shape)], 1
        )

    def _evidence(self, place: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Return log densities of the contexts before step t, and of step t's given them, [N]."""
        density = torch.cat([log_density for *_, log_density in self._conditioned(place, t)])
        old = (self.seen.step[self.seen.step <= t]) < t
        return (density * old).sum(1), (density * ~old).sum(1)

    def _mixture(self, particles: Particles, t: int) -> Tensor:
        """Return the NLL of the targets of step t, [M]."""
        point = grid_index(self.sequence.target_x[0, t, :, 0], self.table.points)
        means, variances = [], []
        for kernels, basis, values, _ in self._conditioned(particles.place, t):
            index = point.expand(len(kernels), -1)
            rows = self.table.rows(kernels[:, t : t + 1].expand(-1, len(point), -1), index)
            loadings = rows @ basis.mT
            means.append((loadings @ values.unsqueeze(2)).squeeze(2))
            variances.append(rows.square().sum(2) - loadings.square().sum(2))
        target = self.sequence.target_y[0, t, :, 0].double()
        variance = torch.cat(variances).clamp_min(0)
        return mixture_nll(target, torch.cat(means), variance, particles.log_weight)

    def _conditioned(
        self, place: Tensor, t: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Whiten the observations up to step t, for chunks of the particles.

        Yields:
            The kernels [P, t + 1, 2] of a chunk, and what `whiten` returns.
        """
        seen = Observations(*(field[self.seen.step <= t].unsqueeze(0) for field in self.seen))
        kernels = paths(self.drift, place)
        size = max(1, TOGETHER // (max(1, seen.step.shape[1]) * self.table.points))
        for part in kernels.split(size):
            rows = self.table.rows(part[:, seen.step[0]], seen.point.expand(len(part), -1))
            yield part, *whiten(rows, seen, NOISE)

    def _normal(self, *size: int) -> Tensor:
        return torch.randn(size, generator=self.generator, dtype=torch.float64)


def mixture_nll(target: Tensor, mean: Tensor, variance: Tensor, log_weight: Tensor) -> Tensor:
    """Compute the NLL in nats of targets under a mixture that the decoder can express.

    No component's sigma is below `FLOOR`. Widening narrower components would make the mixture wider
    than the posterior's, so the components' means are contracted to preserve its variance, until
    they coincide.

    Args:
        target: values, [M].
        mean: of the components, [N, M].
        variance: of the components, without the floor, [N, M].
        log_weight: of the components, normalised, [N].

    Returns:
        [M].
    """
    weight = log_weight.exp().unsqueeze(1)
    centre = (weight * mean).sum(0)
    between = (weight * (mean - centre).square()).sum(0)
    added = (weight * (FLOOR**2 - variance).clamp_min(0)).sum(0)
    contraction = (1 - added / between.clamp_min(1e-12)).clamp_min(0).sqrt()
    log_density = -nll(target, centre + contraction * (mean - centre), variance)
    return -(log_weight.unsqueeze(1) + log_density).logsumexp(0)
