"""The recurrent renderer, which refines a patch in steps (Singh et al. 2019; Yoon et al. A.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.likelihoods import Targets
from lightning_modules.neural_processes.networks import ObservationModel
from lightning_modules.neural_processes.rendering.shapes import MapShapes
from memory_cores.parts.conv_lstm import ConvLSTMCell
from memory_cores.parts.lstm import gated
from memory_cores.parts.real_points import RealPoints, of_points
from memory_cores.parts.same_convolution import SameConvolution

#: Patches decoded at once: their maps fit into a processor core's cache.
CHUNK = 256


class RecurrentRenderer(ObservationModel):
    """Observation model of patches, P(y | x, s_t, z_t, r_t(x)), a Gaussian of fixed sigma.

    A ConvLSTM gets the same inputs in every step: the state, the latent, the place and the
    target's read. Each step decodes its state to a patch and adds it to the canvas. The decoder's
    last layer is linear, so its inputs are summed over steps, and the layer is applied once.

    Args:
        size: maps h of a read; 0 without reads.
        place_size: width Dx of a place.
        sample_size: width of [s_t; z_t], flattened maps.
        shapes: sizes of the maps.
    """

    def __init__(self, size: int, place_size: int, sample_size: int, shapes: MapShapes) -> None:
        super().__init__()
        self.size, self.shapes = size, shapes
        self.of_sample, maps = sample_size // shapes.pixels, shapes.renderer_maps
        self.inputs = self.of_sample + size + place_size
        self.cell = ConvLSTMCell(self.inputs, maps, shapes.kernel_size)
        self.strokes = nn.Sequential(
            SameConvolution(maps, maps, shapes.kernel_size),
            nn.ReLU(),
            nn.ConvTranspose2d(maps, 2 * maps, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.colours = nn.ConvTranspose2d(2 * maps, shapes.patch[0], 4, stride=2, padding=1)

    def of_points(self, reads: Tensor, x: Tensor, real: RealPoints | None = None) -> Tensor:
        """Return the part of the gates from reads [..., M, h H W] and places [..., M, Dx]."""
        points = torch.cat([reads, x], -1)
        return of_points(self._gates_of_points, points, real)

    def of_latents(self, latents: Tensor) -> Tensor:
        """Return the part of the gates from samples [..., S], [..., 1, 4 R H W]."""
        maps = latents.reshape(-1, self.of_sample, *self.shapes.area)
        kernel = self.cell.gates.kernel(self.shapes.area, 0, self.of_sample)
        return kernel(maps).flatten(1).view(*latents.shape[:-1], 1, -1)

    def forward(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Render patches [..., M, C H W] from the outputs of ``of_points`` and ``of_latents``."""
        return self._targets(of_points(self._rendered, points + latents, real))

    def in_parts(self, points: Tensor, latents: Tensor, real: RealPoints | None = None) -> Targets:
        """Render [B, T, M, ...] a few patches at a time, in less memory."""

        def rendered(rows: Tensor) -> Tensor:
            parts = [self._rendered(part) for part in rows.flatten(0, -2).split(CHUNK)]
            return torch.cat(parts).unflatten(0, rows.shape[:-1])

        return self._targets(of_points(rendered, points + latents, real))

    def _targets(self, mean: Tensor) -> Targets:
        return Targets(mean, torch.full_like(mean, self.shapes.sigma))

    def _gates_of_points(self, rows: Tensor) -> Tensor:
        """Return the points' part of the gates for rows [..., h H W + Dx]."""
        width = self.size * self.shapes.pixels
        reads, places = rows.flatten(0, -2).split([width, rows.shape[-1] - width], -1)
        maps = reads.unflatten(-1, (self.size, *self.shapes.area))
        everywhere = places[:, :, None, None].expand(-1, -1, *self.shapes.area)
        inputs = self.inputs - self.of_sample
        kernel = self.cell.gates.kernel(self.shapes.area, self.of_sample, inputs)
        gates = kernel(torch.cat([maps, everywhere], 1))
        return gates.flatten(1).unflatten(0, rows.shape[:-1])

    def _rendered(self, rows: Tensor) -> Tensor:
        """Render patches [..., C H W] from their gates without the state's part, [..., 4 R H W]."""
        known = rows.flatten(0, -2).unflatten(-1, (-1, *self.shapes.area))
        hidden, cell = gated(known, torch.zeros_like(known[:, : self.shapes.renderer_maps]), dim=1)
        strokes, steps = self.strokes(hidden), self.shapes.renderer_steps
        of_state = self.cell.gates.kernel(self.shapes.area, self.inputs)
        for _ in range(steps - 1):
            hidden, cell = gated(known + of_state(hidden), cell, dim=1)
            strokes = strokes + self.strokes(hidden)
        bias = self.colours.bias
        assert bias is not None
        canvas = F.conv_transpose2d(strokes, self.colours.weight, steps * bias, stride=2, padding=1)
        return canvas.flatten(1).unflatten(0, rows.shape[:-1])
