"""Inference of kernels: predictions of drifting functions for one who does not know the kernels.

A sequence's kernels are 4 numbers (where l and s start and how fast they move) and the noise of
each step's moves. Their posterior given the contexts of steps 1 to t is followed over t by
sequential Monte Carlo (Chopin 2002; Del Moral et al. 2006): particles are weighted by the evidence
of a step's context. Where half of the effective samples would be lost, the evidence comes in by
parts (tempering), each as large as leaves half of them (bisection), and after each particles are
resampled and moved by Metropolis steps whose target is the posterior so far. The predictive of step
t is the particles' mixture. With ever more particles it is the exact one, and no predictor that
knows the contexts alone has a smaller NLL on average.

The generator adds no noise to what it shows: a function's white noise of 0.02 is a part of the
function, the same wherever a point is seen again, and is in L. Observations are rounded to float32
and rows of L are interpolated, so an error of `NOISE` is assumed.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.draws import grid_index
from datamodules.points.gaussian_process.factor_table import FactorTable
from datamodules.points.gaussian_process.kernel_drift import KernelDrift
from datamodules.points.gaussian_process.kernel_prior import STARTS, coordinates, paths
from datamodules.points.gaussian_process.oracle import Observations, nll, observations, whiten

#: Standard deviation of the error that observations are assumed to have: that of the interpolation.
NOISE = 1e-3
#: Share of the particles that must stay effective when evidence comes in.
LEAST_EFFECTIVE = 0.5
#: Share of the proposals that the moves' scales aim at.
AIM = 0.25
#: Numbers in the rows of the particles whose evidence is computed together: they fit in a cache.
TOGETHER = 400_000


class MixtureNLL(NamedTuple):
    """NLL of actual targets under a mixture over kernels."""

    nll: Tensor
    """Of every target, in nats, float64 [B, T, M]; meaningless where it is padding."""
    effective_samples: Tensor
    """1 / sum of the squared weights of distinct particles, float64 [B, T], from 1 to their
    number; the least since the step before."""
    acceptance: Tensor
    """Share of the proposed moves that were accepted, float64 [B]; NaN without any."""


class Particles(NamedTuple):
    """Weighted kernels of B sequences."""

    place: Tensor
    """Coordinates (`kernel_prior.py`), float64 [B, N, T + 1, W]."""
    log_weight: Tensor
    """Normalised, float64 [B, N]."""
    before: Tensor
    """Log evidence of the contexts before this step, float64 [B, N]."""
    now: Tensor
    """Log density of this step's context given them, float64 [B, N]."""
    kind: Tensor
    """Number that copies of one particle share until they move, int64 [B, N]."""


class KernelInference:
    """Sequential Monte Carlo over the kernels of B sequences."""

    def __init__(
        self,
        drift: KernelDrift,
        table: FactorTable,
        sequences: FunctionSequences,
        moves: int,
        generator: torch.Generator,
    ) -> None:
        """Take the prior, its factors, the sequences and the number of moves at a temperature."""
        self.drift, self.table, self.sequences = drift, table, sequences
        self.moves, self.generator = moves, generator
        self.seen = observations(sequences, table.points)
        count = len(sequences.task)
        #: Of the two proposals, log [2, B].
        self.log_scale = torch.zeros(2, count, dtype=torch.float64)
        self.accepted = torch.zeros(count, dtype=torch.float64)
        self.proposed = torch.zeros(count, dtype=torch.float64)
        self.least = torch.empty(count, dtype=torch.float64)

    def run(self, number: int) -> MixtureNLL:
        """Follow the posteriors over all steps.

        Args:
            number: N of the particles of each sequence.
        """
        count, steps = self.sequences.task.shape[:2]
        place = coordinates(self.drift, count * number, steps, self.generator)
        zero = torch.zeros(count, number, dtype=torch.float64)
        particles = Particles(
            place.unflatten(0, (count, number)),
            zero.log_softmax(1),
            zero,
            zero,
            torch.arange(number).expand(count, -1),
        )
        found, effective = [], []
        for t in range(steps):
            self.least.fill_(torch.inf)
            particles = self._take_in(particles, t)
            effective.append(self.least.minimum(effective_samples(particles)))
            found.append(self._mixture(particles, t))
        return MixtureNLL(
            torch.stack(found, 1), torch.stack(effective, 1), self.accepted / self.proposed
        )

    def _take_in(self, particles: Particles, t: int) -> Particles:
        """Condition on the context of step t, where there is one."""
        shown = (self.seen.real & (self.seen.step == t)).any(1)
        rows = shown.nonzero().squeeze(1)
        if len(rows) == 0:
            return particles
        part = _rows(particles, rows)
        before, now = self._evidence(part.place, rows, t)
        part = part._replace(before=before, now=now)
        heat = torch.zeros(len(rows), dtype=torch.float64)
        todo = torch.arange(len(rows))
        while len(todo):
            hot = _rows(part, todo)
            change = next_change(hot.log_weight, hot.now, 1 - heat[todo])
            heat[todo] += change
            weighted = hot.log_weight + change.unsqueeze(1) * hot.now
            hot = hot._replace(log_weight=weighted.log_softmax(1))
            unfinished = heat[todo] < 1
            if unfinished.any():
                again = todo[unfinished]
                moved = self._rejuvenate(_rows(hot, unfinished), rows[again], heat[again], t)
                hot = _put(hot, unfinished, moved)
            part = _put(part, todo, hot)
            todo = todo[unfinished]
        return _put(particles, rows, part)

    def _rejuvenate(self, particles: Particles, rows: Tensor, heat: Tensor, t: int) -> Particles:
        """Resample particles and move them, each as often as is set."""
        active = particles.place[:, :, : t + 2].flatten(2)
        weight = particles.log_weight.exp().unsqueeze(2)
        spread = weight.sqrt() * (active - (weight * active).sum(1, keepdim=True))
        particles = resampled(particles, self.generator)
        for move in range(2 * self.moves):
            propose = (self._all, self._starts)[move % 2]
            particles = self._move(particles, rows, heat, t, move % 2, propose, spread)
        self.least[rows] = self.least[rows].minimum(effective_samples(particles))
        return particles

    def _move(
        self,
        particles: Particles,
        rows: Tensor,
        heat: Tensor,
        t: int,
        kind: int,
        propose: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
        spread: Tensor,
    ) -> Particles:
        """Make a Metropolis step from each particle."""
        known = slice(0, t + 2)
        active = particles.place[:, :, known].flatten(2)
        scale = self.log_scale[kind, rows].exp().view(-1, 1, 1)
        new, log_prior = propose(active, spread, scale)
        place = particles.place.clone()
        place[:, :, known] = new.view_as(place[:, :, known])
        before, now = self._evidence(place, rows, t)
        hot = heat.unsqueeze(1)
        gain = before - particles.before + hot * (now - particles.now) + log_prior
        accepted = self._uniform(gain).log() < gain
        share = accepted.double().mean(1)
        self.log_scale[kind, rows] = (self.log_scale[kind, rows] + share - AIM).clamp(-5, 1)
        self.accepted[rows] += accepted.double().sum(1)
        self.proposed[rows] += accepted.shape[1]
        number = accepted.shape[1]
        return Particles(
            torch.where(accepted[..., None, None], place, particles.place),
            particles.log_weight,
            torch.where(accepted, before, particles.before),
            torch.where(accepted, now, particles.now),
            torch.where(accepted, number + torch.arange(number), particles.kind),
        )

    def _all(self, active: Tensor, spread: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Propose a step in all coordinates, with the particles' covariance times 2.38^2 / d."""
        length = scale * 2.38 / active.shape[2] ** 0.5
        new = active + length * (self._normal(active.shape[:2] + spread.shape[1:2]) @ spread)
        return new, 0.5 * (active.square() - new.square()).sum(2)

    def _starts(self, active: Tensor, spread: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Propose a step of the starts and velocities alone, and noise that forgets a part."""
        own = STARTS * self.place_width
        start, noise = active[..., :own], active[..., own:]
        length = scale * 2.38 / own**0.5
        moved = start + length * (
            self._normal(active.shape[:2] + spread.shape[1:2]) @ spread[..., :own]
        )
        share = (0.5 * scale).clamp_max(1)
        noise = (1 - share.square()).sqrt() * noise + share * self._normal(noise.shape)
        return torch.cat([moved, noise], 2), 0.5 * (start.square() - moved.square()).sum(2)

    @property
    def place_width(self) -> int:
        return 1 if self.drift.tied else 2

    def _evidence(self, place: Tensor, rows: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Log density of the contexts before step t, and of step t's given them, [B, N]."""
        seen = self._seen(rows, t)
        number = place.shape[1]
        kernels = paths(self.drift, place[:, :, : t + 2]).flatten(0, 1)
        sequence = torch.arange(len(rows)).repeat_interleave(number)
        parts = []
        for chosen in torch.arange(len(kernels)).split(self._chunk(seen)):
            own = Observations(*(field[sequence[chosen]] for field in seen))
            _, _, log_density = self._whiten(kernels[chosen], own)
            parts.append(
                torch.stack(
                    [(log_density * (own.step < t)).sum(1), (log_density * (own.step == t)).sum(1)]
                )
            )
        before, now = torch.cat(parts, 1).unflatten(1, (-1, number))
        return before, now

    def _whiten(self, kernels: Tensor, seen: Observations) -> tuple[Tensor, Tensor, Tensor]:
        kernel = kernels.take_along_dim(seen.step.unsqueeze(2), 1)
        rows = self.table.rows(kernel, seen.point)
        return whiten(rows, seen, NOISE)

    def _seen(self, rows: Tensor, t: int) -> Observations:
        """Observations up to step t; those after it are padding."""
        own = Observations(*(field[rows] for field in self.seen))
        real = own.real & (own.step <= t)
        most = max(1, int(real.sum(1).max()))
        own = own._replace(real=real, step=own.step.clamp_max(t))
        return Observations(*(field[:, :most] for field in own))

    def _chunk(self, seen: Observations) -> int:
        return max(1, TOGETHER // (seen.step.shape[1] * self.table.points))

    def _mixture(self, particles: Particles, t: int) -> Tensor:
        """NLL of the targets of step t, [B, M]."""
        every = torch.arange(len(particles.place))
        seen, number = self._seen(every, t), particles.place.shape[1]
        kernels = paths(self.drift, particles.place[:, :, : t + 2]).flatten(0, 1)
        sequence = every.repeat_interleave(number)
        point = grid_index(self.sequences.target_x[:, t, :, 0], self.table.points)
        target = self.sequences.target_y[:, t, :, 0].double()
        parts = []
        for chosen in torch.arange(len(kernels)).split(self._chunk(seen)):
            own = Observations(*(field[sequence[chosen]] for field in seen))
            basis, coordinate, _ = self._whiten(kernels[chosen], own)
            where = point[sequence[chosen]]
            kernel = kernels[chosen, t].unsqueeze(1).expand(-1, where.shape[1], -1)
            asked = self.table.rows(kernel, where)
            known = asked @ basis.mT
            mean = (known @ coordinate.unsqueeze(2)).squeeze(2)
            variance = asked.square().sum(2) - known.square().sum(2)
            parts.append(torch.stack([mean, variance.clamp_min(0)]))
        mean, variance = torch.cat(parts, 1).unflatten(1, (-1, number))
        return mixture_nll(target, mean, variance, particles.log_weight)

    def _normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.rand(like.shape, generator=self.generator, dtype=torch.float64)


def mixture_nll(target: Tensor, mean: Tensor, variance: Tensor, log_weight: Tensor) -> Tensor:
    log_density = -nll(target.unsqueeze(1), mean, variance)
    return -(log_weight.unsqueeze(2) + log_density).logsumexp(1)


def next_change(log_weight: Tensor, now: Tensor, left: Tensor) -> Tensor:
    """Find how much of the evidence can come in, by bisection.

    Args:
        log_weight: normalised, [B, N].
        now: log evidence, [B, N].
        left: most that can, in (0, 1], [B].

    Returns:
        The most, up to `left`, that leaves half of the particles effective, [B].
    """

    def enough(change: Tensor) -> Tensor:
        weighted = (log_weight + change.unsqueeze(1) * now).log_softmax(1)
        return (-(2 * weighted).logsumexp(1)).exp() >= LEAST_EFFECTIVE * now.shape[1]

    low, high = torch.zeros_like(left), left.clone()
    for _ in range(40):
        middle = (low + high) / 2
        fits = enough(middle)
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return torch.where(enough(left), left, low)


def resampled(particles: Particles, generator: torch.Generator) -> Particles:
    """Draw as many particles by their weights (systematic resampling)."""
    weight = particles.log_weight.exp()
    count, number = weight.shape
    # Copies of one particle are named by the first of them, so that new names stay below 2 N.
    first = (particles.kind.unsqueeze(1) == particles.kind.unsqueeze(2)).int().argmax(2)
    start = torch.rand(count, 1, generator=generator, dtype=torch.float64)
    wanted = (start + torch.arange(number)) / number
    ancestor = torch.searchsorted(weight.cumsum(1), wanted).clamp_max(number - 1)
    return Particles(
        particles.place[torch.arange(count).unsqueeze(1), ancestor],
        torch.zeros_like(weight).log_softmax(1),
        particles.before.gather(1, ancestor),
        particles.now.gather(1, ancestor),
        first.gather(1, ancestor),
    )


def effective_samples(particles: Particles) -> Tensor:
    """1 / sum of the squared weights of distinct particles, [B]."""
    same = particles.kind.unsqueeze(1) == particles.kind.unsqueeze(2)
    weight = particles.log_weight.exp()
    return 1 / (weight.unsqueeze(1) * weight.unsqueeze(2) * same).sum((1, 2))


def _rows(particles: Particles, rows: Tensor) -> Particles:
    return Particles(*(field[rows] for field in particles))


def _put(particles: Particles, rows: Tensor, part: Particles) -> Particles:
    fields = (field.clone() for field in particles)
    return Particles(
        *(field.index_put((_index(rows),), own) for field, own in zip(fields, part, strict=True))
    )


def _index(rows: Tensor) -> Tensor:
    return rows.nonzero().squeeze(1) if rows.dtype == torch.bool else rows
