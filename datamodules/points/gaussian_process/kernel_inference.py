"""Inference of kernels: predictions of drifting functions for one who does not know the kernels.

A sequence's kernels are 4 numbers (where l and s start and how fast they move) and the noise of
each step's moves. Their posterior given the contexts of steps 1 to t is followed over t by
sequential Monte Carlo (Chopin 2002; Del Moral, Doucet and Jasra 2006): particles are weighted by
the evidence of a step's context. Where that would leave fewer than half of them effective, the
evidence comes in by parts (tempering), each as large as leaves half of them; after each, particles
are resampled and moved by Metropolis steps, whose target is the posterior so far. The predictive of
step t is the particles' mixture. With ever more particles it tends to the exact one.

The generator adds no noise to what it shows: a function's white noise, 0.02, is a part of the
function, the same wherever a point is seen again, and is in L. Observations are rounded to float32
and rows of L are interpolated, so an error of `NOISE` is assumed.
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

#: Standard deviation of the error that observations are assumed to have: above the error of
#: interpolation, far below the white noise.
NOISE = 1e-3
#: Metropolis steps after each resampling. By turns, all coordinates walk together, or starts and
#: velocities alone.
MOVES = 6
#: Share of the proposals that should be accepted; their scale is adapted to it.
AIM = 0.25
#: A random walk's best step in d dimensions is this, over the root of d, times the target's spread.
STEP = 2.38
#: Numbers in the rows of the particles that are conditioned together: they fit into a cache.
TOGETHER = 400_000


class MixtureNLL(NamedTuple):
    """NLL of actual targets under a mixture over kernels."""

    nll: Tensor
    """Of every target, in nats, float64 [T, M]; meaningless where it is padding."""
    effective_samples: Tensor
    """1 / sum of the squared weights of distinct particles, float64 [T], the least of each step;
    from 1 to N."""


class KernelInference:
    """Sequential Monte Carlo over the kernels of one sequence."""

    def __init__(
        self,
        drift: KernelDrift,
        table: FactorTable,
        sequence: FunctionSequences,
        generator: torch.Generator,
    ) -> None:
        """Take a sequence and the prior of its kernels.

        Args:
            drift: the prior.
            table: factors of all kernels that it may draw.
            sequence: a batch of one.
            generator: of all random numbers.
        """
        self.drift, self.table, self.sequence = drift, table, sequence
        self.generator = generator
        self.seen = observations(sequence, table.points)
        #: Log scale of either kind of proposal.
        self.log_scale = [0.0, 0.0]

    def run(self, number: int) -> MixtureNLL:
        """Follow the posterior over all steps with N particles."""
        steps = self.sequence.task.shape[1]
        particles = Particles.alike(coordinates(self.drift, number, 1, self.generator))
        found, effective = [], []
        for t in range(steps):
            if t > 0:
                noise = self._normal(*particles.place[:, :1].shape)
                particles = particles._replace(place=torch.cat([particles.place, noise], 1))
            particles, least = self._take_in(particles, t)
            effective.append(least)
            found.append(self._mixture(particles, t))
        return MixtureNLL(torch.stack(found), torch.tensor(effective, dtype=torch.float64))

    def _take_in(self, particles: Particles, t: int) -> tuple[Particles, float]:
        """Condition on the context of step t, and find the least effective samples meanwhile."""
        if not (self.seen.step == t).any():
            return particles, particles.effective_samples()
        before, now = self._evidence(particles.place, t)
        particles = particles._replace(before=before, now=now)
        left, least = 1.0, float(len(now))
        while True:
            change = particles.next_change(left)
            left -= change
            particles = particles.heated(change)
            least = min(least, particles.effective_samples())
            if left <= 0:
                return particles, least
            particles = self._rejuvenated(particles, 1 - left, t)

    def _rejuvenated(self, particles: Particles, heat: float, t: int) -> Particles:
        """Resample particles and move them; `heat` is the power of step t's evidence."""
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
            gain = prior + before - particles.before + heat * (now - particles.now)
            uniform = torch.rand(len(gain), generator=self.generator, dtype=torch.float64)
            accepted = uniform.log() < gain
            particles = particles.moved(accepted, place, before, now)
            scale = self.log_scale[kind] + accepted.double().mean().item() - AIM
            self.log_scale[kind] = min(max(scale, -5.0), 1.0)
        return particles

    def _proposed(self, old: Tensor, spread: Tensor, walked: int, scale: float) -> Tensor:
        """Propose places [N, D]: the first `walked` coordinates go a random walk.

        Its steps have the particles' covariance. The other coordinates forget a share of
        themselves, which leaves their prior as it is, however many they are.
        """
        step = self._normal(len(spread), len(spread)) @ spread[:, :walked]
        walk = old[:, :walked] + scale * STEP / walked**0.5 * step
        share, noise = min(scale / 2, 1.0), old[:, walked:]
        return torch.cat(
            [walk, (1 - share**2) ** 0.5 * noise + share * self._normal(*noise.shape)], 1
        )

    def _evidence(self, place: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Log density of the contexts before step t, and of step t's given them, [N]."""
        density = torch.cat([log_density for *_, log_density in self._conditioned(place, t)])
        old = (self.seen.step[self.seen.step <= t]) < t
        return (density * old).sum(1), (density * ~old).sum(1)

    def _mixture(self, particles: Particles, t: int) -> Tensor:
        """NLL of the targets of step t, [M]."""
        point = grid_index(self.sequence.target_x[0, t, :, 0], self.table.points)
        means, variances = [], []
        for kernels, basis, values, _ in self._conditioned(particles.place, t):
            asked = point.expand(len(kernels), -1)
            rows = self.table.rows(kernels[:, t : t + 1].expand(-1, len(point), -1), asked)
            known = rows @ basis.mT
            means.append((known @ values.unsqueeze(2)).squeeze(2))
            variances.append(rows.square().sum(2) - known.square().sum(2))
        target = self.sequence.target_y[0, t, :, 0].double()
        variance = torch.cat(variances).clamp_min(0)
        return mixture_nll(target, torch.cat(means), variance, particles.log_weight)

    def _conditioned(
        self, place: Tensor, t: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Whiten the observations up to step t, given the kernels [P, t + 1, 2] of few particles.

        Yields:
            The kernels, and what `whiten` returns.
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

    No component's sigma is below `FLOOR`. A component that is surer than that would make the
    mixture wider than the posterior's, so the components' means come nearer to each other by as
    much as keeps the variance, or coincide where that is not enough.

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
    nearer = (1 - added / between.clamp_min(1e-12)).clamp_min(0).sqrt()
    log_density = -nll(target, centre + nearer * (mean - centre), variance)
    return -(log_weight.unsqueeze(1) + log_density).logsumexp(0)
