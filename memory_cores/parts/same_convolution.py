"""Size-preserving convolutions; on tiny maps, as one matrix product.

On a 2 x 2 map a 3 x 3 kernel computes 36 products, of which 16 are not padding. As a matrix it
computes only these.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Kernel(NamedTuple):
    """Kernel prepared for maps of one size.

    Its weight is [O, I, K, K], or [O H W, I H W] as a matrix; it has a bias per row.
    """

    weight: Tensor
    bias: Tensor | None

    def __call__(self, maps: Tensor) -> Tensor:
        """Convolve maps [B, I, H, W] to [B, O, H, W]."""
        if self.weight.dim() == 2:
            products = F.linear(maps.flatten(1), self.weight, self.bias)
            return products.unflatten(1, (-1, *maps.shape[2:]))
        return F.conv2d(maps, self.weight, self.bias, padding=self.weight.shape[2] // 2)


class SameConvolution(nn.Conv2d):
    """Convolution with zero padding that preserves the size of maps.

    Args:
        inputs: channels I.
        outputs: channels O.
        kernel_size: rows and columns K of the kernel, odd.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int) -> None:
        super().__init__(inputs, outputs, kernel_size, padding=kernel_size // 2)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve maps [B, I, H, W] to [B, O, H, W]."""
        return self.kernel((input.shape[2], input.shape[3]))(input)

    def kernel(self, area: tuple[int, int], first: int = 0, inputs: int | None = None) -> Kernel:
        """Prepare the kernel of some input channels; outputs of several such kernels add up.

        Args:
            area: height and width of the maps.
            first: index of the first channel; the bias belongs to channel 0.
            inputs: number of channels; default: all from the first on.
        """
        last = None if inputs is None else first + inputs
        weight, bias = self.weight[:, first:last], None if first else self.bias
        if max(area) > self.kernel_size[0] // 2 + 1:
            return Kernel(weight, bias)
        rows = None if bias is None else bias.repeat_interleave(area[0] * area[1])
        return Kernel(matrix_of(weight, area), rows)


def matrix_of(weight: Tensor, area: tuple[int, int]) -> Tensor:
    """Write a kernel [O, I, K, K] as a matrix [O H W, I H W] of flattened maps.

    Args:
        weight: [O, I, K, K].
        area: H and W, each at most K // 2 + 1, so that every pixel reaches every other.
    """
    (H, W), reach = area, weight.shape[2] // 2
    windows = [
        weight[:, :, reach - row : reach - row + H, reach - column : reach - column + W]
        for row in range(H)
        for column in range(W)
    ]
    return torch.stack(windows, 1).flatten(2).flatten(0, 1)
