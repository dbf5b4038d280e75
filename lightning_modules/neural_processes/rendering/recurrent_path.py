"""The deterministic ConvLSTM of TGQN, whose state is added to the targets' reads."""

from torch import Tensor

from lightning_modules.neural_processes.recurrent_path import DeterministicPath
from lightning_modules.neural_processes.rendering.shapes import MapShapes
from memory_cores.parts.conv_lstm import ConvLSTMCell
from memory_cores.parts.same_convolution import SameConvolution


class ConvRecurrentPath(DeterministicPath):
    """ConvLSTM over the running sum of pooled contexts, and a convolution to the maps of a read.

    The counterpart of SNP's ``RecurrentPath`` for feature maps.

    Args:
        size: maps h of encodings and reads.
        shapes: sizes of the maps.
    """

    def __init__(self, size: int, shapes: MapShapes) -> None:
        super().__init__()
        self.shapes = shapes
        self.cell = ConvLSTMCell(size, shapes.state_maps, shapes.kernel_size)
        self.output = SameConvolution(shapes.state_maps, size, shapes.kernel_size)
        self.size = size

    @property
    def state_size(self) -> int:
        """The cell's two states, and the running sum."""
        return (2 * self.shapes.state_maps + self.size) * self.shapes.pixels

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled contexts to the summand of reads, [B, T, h H W]."""
        maps = pooled.cumsum(1).unflatten(2, (self.size, *self.shapes.area))
        reads = self.output(self.cell.unroll(maps).flatten(0, 1))
        return reads.unflatten(0, maps.shape[:2]).flatten(2)
