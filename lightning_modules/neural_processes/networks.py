"""Encoder, latent head and decoder of the neural processes (Yoon et al. 2020, appendix A).

Sizes are those of the authors' code; all layers start with Glorot weights and zero biases.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.likelihoods import Targets
from lightning_modules.speed.late_gradient import LateLinear
from memory_cores.parts.attention import glorot_linear
from memory_cores.parts.gaussian import DiagonalGaussian
from memory_cores.parts.real_points import RealPoints, of_points

#: Targets decoded at once: their hidden layers fit into a processor core's cache.
CHUNK = 8192
#: Lower limit of the decoder's sigma, so that no density grows without bound.
LEAST_SIGMA = 0.1


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Stack linear layers of these sizes, with a ReLU after all but the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        # In place: nothing else uses the linear layer's output, which is still in the cache.
        layers += [glorot_linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class SetEncoder(nn.Module, ABC):
    """Base class of encoders of sets, each point by itself."""

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, real: RealPoints) -> Tensor:
        """Encode the real points of x [..., N, Dx] and y [..., N, Dy] as rows."""


class ObservationModel(nn.Module, ABC):
    """Base class of decoders P(y | x, z_t, r_t(x)): points and latents are mapped separately.

    A latent is then mapped once for all targets of its step, and r and x once for all samples of
    the latent.
    """

    size: int  #: width h

    @abstractmethod
    def of_points(self, reads: Tensor, x: Tensor, real: RealPoints | None = None) -> Tensor:
        """Map reads [..., M, R] and places [..., M, Dx] to the points' part [..., M, P].

        Reads of an uncertain core end with a variance, which counts as part of the place.
        """

    @abstractmethod
    def of_latents(self, latents: Tensor) -> Tensor:
        """Map latents [..., Z] to their part [..., 1, P]."""

    @abstractmethod
    def forward(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Decode the outputs of ``of_points`` and ``of_latents``."""

    @abstractmethod
    def in_parts(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Decode [B, T, M, P] and [B, T, 1, P] in chunks: faster, and in less memory."""


class PointEncoder(SetEncoder):
    """Encodes each point (x, y) of a set by itself.

    Args:
        point_size: width Dx + Dy of a point.
        size: width h of an encoding and of the hidden layers.
        layers: number of linear layers.
    """

    def __init__(self, point_size: int, size: int, layers: int) -> None:
        super().__init__()
        self.network = mlp([point_size, *[size] * layers])

    def forward(self, x: Tensor, y: Tensor, real: RealPoints) -> Tensor:
        """Encode the real points of x [..., N, Dx] and y [..., N, Dy] as rows of width h."""
        return self.network(real.rows(torch.cat([x, y], -1)))


class LatentHead(nn.Module):
    """Maps a pooled encoding [..., h] to the Gaussian of a latent [..., h].

    Args:
        size: width h of encodings and latents.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.network = mlp([size, size, 2 * size])

    def forward(self, pooled: Tensor) -> DiagonalGaussian:
        """Return means and, from log variances, log standard deviations."""
        return self._gaussian(self.network(pooled))

    def step_by_step(self, known: Tensor) -> Callable[[Tensor], DiagonalGaussian]:
        """Return the head for a loop over time: known inputs [T, B, h] plus a state [B, h]."""
        first, second = (layer for layer in self.network if isinstance(layer, nn.Linear))
        # The first layer is linear, so it is applied to the known part before the loop.
        hidden = LateLinear(first.weight, first(known))
        output = LateLinear(second.weight, second.bias.expand(*known.shape[:2], -1))
        return lambda state: self._gaussian(output(hidden(state).relu()))

    def _gaussian(self, outputs: Tensor) -> DiagonalGaussian:
        mean, log_variance = outputs.chunk(2, -1)
        return DiagonalGaussian(mean, 0.5 * log_variance)  # log sigma = log(sigma^2) / 2


class Decoder(ObservationModel):
    """Observation model P(y | x, z_t, r_t(x)), with sigma = 0.1 + 0.9 softplus.

    ``of_points`` and ``of_latents`` apply the first layer, which is linear in [r, x] and z.

    Args:
        size: width h of reads, latents and hidden layers.
        x_size: Dx.
        y_size: Dy.
    """

    def __init__(self, size: int, x_size: int, y_size: int) -> None:
        super().__init__()
        self.size, self.point_size = size, size + x_size
        self.first = glorot_linear(self.point_size + size, size)
        self.rest = nn.Sequential(nn.ReLU(inplace=True), mlp([size, size, 2 * y_size]))

    def of_points(self, reads: Tensor, x: Tensor, real: RealPoints | None = None) -> Tensor:
        """Apply the first layer to reads [..., M, h] and x; return the points' part [..., M, h]."""
        weight = self.first.weight[:, : self.point_size]
        points = torch.cat([reads, x], -1)
        return of_points(lambda rows: F.linear(rows, weight, self.first.bias), points, real)

    def of_latents(self, latents: Tensor) -> Tensor:
        """Apply the first layer to latents [..., h]; return the latents' part [..., 1, h]."""
        return F.linear(latents, self.first.weight[:, self.point_size :]).unsqueeze(-2)

    def forward(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Decode the outputs of ``of_points`` and ``of_latents``."""
        mean, raw = of_points(self.rest, points + latents, real).chunk(2, -1)
        return Targets(mean, LEAST_SIGMA + (1 - LEAST_SIGMA) * F.softplus(raw))

    def in_parts(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Decode [B, T, M, h] and [B, T, 1, h] a few steps at a time: faster, and in less memory.

        Padding is decoded, too: there is none where all points are targets.
        """
        steps = max(1, CHUNK // points.shape[2])
        split = zip(
            points.flatten(0, 1).split(steps), latents.flatten(0, 1).split(steps), strict=True
        )
        parts = [self(*part) for part in split]
        fields = (torch.cat(field) for field in zip(*parts, strict=True))
        return Targets(*(field.unflatten(0, points.shape[:2]) for field in fields))
