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
#: Share of the proposals that should be accepted; their scales are adapted to it.
AIM = 0.25
#: A random walk's best step in d dimensions is this, over the root of d, times the target's spread.
STEP = 2.38
#: Numbers in the rows of the particles that are conditioned together: they fit into a cache.
TOGETHER = 400_000


class MixtureNLL(NamedTuple):
    """NLL of actual targets under a mixture over kernels."""

    nll: Tensor
    """Of every target, in nats, float64 [B, T, M]; meaningless where it is padding."""
    effective_samples: Tensor
    """1 / sum of the squared weights of distinct particles, float64 [B, T], the least of each step;
    from 1 to N."""
    acceptance: Tensor
    """Share of the proposed moves that were accepted, float64 [B]; NaN without any."""


class KernelInference:
    """Sequential Monte Carlo over the kernels of B sequences, once."""

    def __init__(
        self,
        drift: KernelDrift,
        table: FactorTable,
        sequences: FunctionSequences,
        moves: int,
        generator: torch.Generator,
    ) -> None:
        """Take what the sequences were drawn with.

        Args:
            drift: prior of the kernels.
            table: factors of all kernels that it may draw.
            sequences: B drifting functions.
            moves: pairs of Metropolis steps after each resampling.
            generator: of all random numbers.
        """
        self.drift, self.table, self.sequences = drift, table, sequences
        self.moves, self.generator = moves, generator
        self.seen = observations(sequences, table.points)
        zero = torch.zeros(len(sequences.task), dtype=torch.float64)
        #: Log scales of both proposals, and how they fared.
        self.log_scale = torch.stack([zero, zero])
        self.accepted, self.proposed, self.least = zero.clone(), zero.clone(), zero.clone()

    def run(self, number: int) -> MixtureNLL:
        """Follow the posteriors over all steps with N particles for each sequence."""
        count, steps = self.sequences.task.shape[:2]
        place = coordinates(self.drift, count * number, steps, self.generator)
        particles = Particles.alike(place.unflatten(0, (count, number)))
        found, effective = [], []
        for t in range(steps):
            self.least.fill_(torch.inf)
            particles = self._take_in(particles, t)
            effective.append(self.least.minimum(particles.effective_samples()))
            found.append(self._mixture(particles, t))
        acceptance = self.accepted / self.proposed
        return MixtureNLL(torch.stack(found, 1), torch.stack(effective, 1), acceptance)

    def _take_in(self, particles: Particles, t: int) -> Particles:
        """Condition on the context of step t, in the sequences that have one."""
        todo = (self.seen.real & (self.seen.step == t)).any(1).nonzero().squeeze(1)
        if len(todo) == 0:
            return particles
        before, now = self._evidence(particles.place[todo], todo, t)
        part = particles.of(todo)._replace(before=before, now=now)
        particles = particles.with_rows(todo, part)
        left = torch.ones_like(particles.log_weight[:, 0])
        while len(todo):
            part = particles.of(todo)
            change = part.next_change(left[todo])
            left[todo] -= change
            particles = particles.with_rows(todo, part.heated(change))
            todo = todo[left[todo] > 0]
            if len(todo):
                part = self._rejuvenated(particles.of(todo), todo, 1 - left[todo], t)
                particles = particles.with_rows(todo, part)
        return particles

    def _rejuvenated(self, part: Particles, rows: Tensor, heat: Tensor, t: int) -> Particles:
        """Resample particles and move them.

        Args:
            part: particles of the sequences in `rows`.
            rows: numbers of R sequences, int64 [R].
            heat: power of the evidence of step t, [R].
            t: number of the step.
        """
        spread = part.spread(STARTS + t)
        part = part.resampled(self.generator)
        for move in range(2 * self.moves):
            scale = self.log_scale[move % 2]
            active = part.place[:, :, : STARTS + t].flatten(2)
            propose = (self._step_everywhere, self._step_of_starts)[move % 2]
            new = propose(active, spread, scale[rows].exp().view(-1, 1, 1))
            later = part.place[:, :, STARTS + t :]
            place = torch.cat([new.unflatten(2, (STARTS + t, -1)), later], 2)
            before, now = self._evidence(place, rows, t)
            gain = before - part.before + heat.unsqueeze(1) * (now - part.now)
            accepted = self._uniform(gain).log() < gain + self._log_ratio(active, new, move % 2)
            part = part.moved(accepted, place, before, now)
            share = accepted.double().mean(1)
            scale[rows] = (scale[rows] + share - AIM).clamp(-5, 1)
            self.accepted[rows] += share
            self.proposed[rows] += 1
        self.least[rows] = self.least[rows].minimum(part.effective_samples())
        return part

    def _step_everywhere(self, active: Tensor, spread: Tensor, scale: Tensor) -> Tensor:
        """Propose a step in all coordinates [R, N, D], with the particles' covariance."""
        step = self._normal(active[..., :1] * spread[..., 0].unsqueeze(1)) @ spread
        return active + scale * STEP / active.shape[2] ** 0.5 * step

    def _step_of_starts(self, active: Tensor, spread: Tensor, scale: Tensor) -> Tensor:
        """Propose a step of starts and velocities, and noise that forgets a part of itself.

        The latter leaves the noise's prior as it is, however many steps there are.
        """
        own = self._starts
        start = self._step_everywhere(active[..., :own], spread[..., :own], scale)
        share = (scale / 2).clamp_max(1)
        noise = active[..., own:]
        return torch.cat(
            [start, (1 - share.square()).sqrt() * noise + share * self._normal(noise)], 2
        )

    def _log_ratio(self, active: Tensor, new: Tensor, kind: int) -> Tensor:
        """Log ratio of the priors of those coordinates that a random walk moves, [R, N]."""
        walked = slice(None) if kind == 0 else slice(self._starts)
        return 0.5 * (active[..., walked].square() - new[..., walked].square()).sum(2)

    @property
    def _starts(self) -> int:
        """Number of the coordinates that tell starts and velocities."""
        return STARTS * (1 if self.drift.tied else 2)

    def _evidence(self, place: Tensor, rows: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Log density of the contexts before step t, and of step t's given them, [R, N]."""
        parts = []
        for kernels, sequence in self._in_parts(place, rows, t):
            seen = self._seen(sequence, t)
            _, _, log_density = self._whiten(kernels, seen)
            old = seen.step < t
            parts.append(torch.stack([(log_density * old).sum(1), (log_density * ~old).sum(1)]))
        before, now = torch.cat(parts, 1).unflatten(1, place.shape[:2])
        return before, now

    def _mixture(self, particles: Particles, t: int) -> Tensor:
        """NLL of the targets of step t, [B, M]."""
        point = grid_index(self.sequences.target_x[:, t, :, 0], self.table.points)
        every, parts = torch.arange(len(point)), []
        for kernels, sequence in self._in_parts(particles.place, every, t):
            basis, seen, _ = self._whiten(kernels, self._seen(sequence, t))
            asked = point[sequence]
            rows = self.table.rows(kernels[:, t : t + 1].expand(-1, asked.shape[1], -1), asked)
            known = rows @ basis.mT
            variance = rows.square().sum(2) - known.square().sum(2)
            mean = (known @ seen.unsqueeze(2)).squeeze(2)
            parts.append(torch.stack([mean, variance.clamp_min(0)]))
        mean, variance = torch.cat(parts, 1).unflatten(1, particles.log_weight.shape)
        target = self.sequences.target_y[:, t, :, 0].double()
        return mixture_nll(target, mean, variance, particles.log_weight)

    def _in_parts(self, place: Tensor, rows: Tensor, t: int) -> list[tuple[Tensor, Tensor]]:
        """Split kernels [P, t + 1, 2] and the numbers of their sequences [P] into small parts."""
        kernels = paths(self.drift, place[:, :, : STARTS + t]).flatten(0, 1)
        number = int((self.seen.real & (self.seen.step <= t)).sum(1).max())
        size = max(1, TOGETHER // (max(1, number) * self.table.points))
        sequence = rows.repeat_interleave(place.shape[1])
        return [*zip(kernels.split(size), sequence.split(size), strict=True)]

    def _seen(self, rows: Tensor, t: int) -> Observations:
        """Observations of sequences up to step t, those after it turned to padding."""
        seen = Observations(*(field[rows] for field in self.seen))
        real = seen.real & (seen.step <= t)
        most = max(1, int(real.sum(1).max()))
        seen = seen._replace(real=real, step=seen.step.clamp_max(t))
        return Observations(*(field[:, :most] for field in seen))

    def _whiten(self, kernels: Tensor, seen: Observations) -> tuple[Tensor, Tensor, Tensor]:
        kernel = kernels.take_along_dim(seen.step.unsqueeze(2), 1)
        return whiten(self.table.rows(kernel, seen.point), seen, NOISE)

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator, dtype=torch.float64)

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.rand(like.shape, generator=self.generator, dtype=torch.float64)


def mixture_nll(target: Tensor, mean: Tensor, variance: Tensor, log_weight: Tensor) -> Tensor:
    """Compute the NLL in nats of targets under a mixture that the decoder can express.

    No component's sigma is below `FLOOR`. A component that is surer than that would make the
    mixture wider than the posterior's, so the components' means come nearer to each other by as
    much as keeps the variance, or coincide where that is not enough.

    Args:
        target: values, [B, M].
        mean: of the components, [B, N, M].
        variance: of the components, without the floor, [B, N, M].
        log_weight: of the components, normalised, [B, N].

    Returns:
        [B, M].
    """
    weight = log_weight.exp().unsqueeze(2)
    centre = (weight * mean).sum(1, keepdim=True)
    between = (weight * (mean - centre).square()).sum(1, keepdim=True)
    added = (weight * (FLOOR**2 - variance).clamp_min(0)).sum(1, keepdim=True)
    nearer = (1 - added / between.clamp_min(1e-12)).clamp_min(0).sqrt()
    log_density = -nll(target.unsqueeze(1), centre + nearer * (mean - centre), variance)
    return -(log_weight.unsqueeze(2) + log_density).logsumexp(1)
