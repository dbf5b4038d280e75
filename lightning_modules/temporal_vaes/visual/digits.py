"""The paper's networks for digits and characters (Gemici et al. 2017, appendix B.1, figure 18)."""

import torch
from torch import Tensor, nn
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

from lightning_modules.temporal_vaes.visual.networks import VisualNetworks, VisualSizes

#: Kernel sizes of the four parallel streams, and the kernels of each.
STREAMS, STREAM_MAPS = (1, 3, 5, 7), 8
BLOCK_MAPS = STREAM_MAPS * len(STREAMS)
FEATURE_MAPS = 64


class DigitNetworks(VisualNetworks):
    """Two blocks of four parallel convolutions each way.

    The paper's frames are 1 x 28 x 28, but its text has 32 x 32 in and 16 x 16 out of the first
    block: frames are used as they are, so the blocks halve 28 to 14 and 7. The encoder ends with
    the 64 maps of the second block; the model's posterior map is the linear layer after it. The
    decoder mirrors the encoder with transposed convolutions.

    Args:
        sizes: given by the model.
        residual: add the input of each block of streams to its output if both have as many maps;
            the paper has such skips "in some cases" (section 4.1).

    Raises:
        ValueError: the frames cannot be halved twice.
    """

    def __init__(self, sizes: VisualSizes, residual: bool = False) -> None:
        super().__init__()
        channels, height, width = sizes.frame_shape
        if height % 4 or width % 4:
            raise ValueError(
                f"frame_shape must have a height and width divisible by 4, got {sizes.frame_shape}"
            )
        maps = (FEATURE_MAPS, height // 4, width // 4)
        self.feature_size = maps[0] * maps[1] * maps[2]
        self.encoder = nn.Sequential(
            ParallelStreams(channels),
            nn.Conv2d(BLOCK_MAPS, BLOCK_MAPS, 3, stride=2, padding=1),
            nn.BatchNorm2d(BLOCK_MAPS),
            nn.ReLU(),
            ParallelStreams(BLOCK_MAPS, residual=residual),
            nn.Conv2d(BLOCK_MAPS, FEATURE_MAPS, 3, stride=2, padding=1),
            nn.Flatten(),
        )
        self.decoder = nn.Sequential(
            nn.Linear(sizes.decoder_inputs, self.feature_size),
            nn.Unflatten(1, maps),
            nn.ConvTranspose2d(FEATURE_MAPS, BLOCK_MAPS, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(BLOCK_MAPS),
            nn.ReLU(),
            ParallelStreams(BLOCK_MAPS, transposed=True, residual=residual),
            nn.ConvTranspose2d(BLOCK_MAPS, BLOCK_MAPS, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(BLOCK_MAPS),
            nn.ReLU(),
            ParallelStreams(BLOCK_MAPS, transposed=True, residual=residual),
            nn.Conv2d(BLOCK_MAPS, channels, 1),
        )
        # Convolutions with few maps are 10 to 25% faster in channels-last format.
        convert_conv2d_weight_memory_format(self, torch.channels_last)


class ParallelStreams(nn.Module):
    """Four size-preserving convolutions side by side, each with batch norm and ReLU (figure 18).

    Args:
        channels: input maps; the output has ``BLOCK_MAPS``.
        transposed: use transposed convolutions, as the observation map does.
        residual: add the input, which must then have ``BLOCK_MAPS``.
    """

    def __init__(self, channels: int, transposed: bool = False, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        convolution = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.streams = nn.ModuleList(
            nn.Sequential(
                convolution(channels, STREAM_MAPS, size, padding=size // 2),
                nn.BatchNorm2d(STREAM_MAPS),
                nn.ReLU(),
            )
            for size in STREAMS
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve [F, channels, H, W] to [F, 32, H, W]."""
        streams = torch.cat([stream(maps) for stream in self.streams], 1)
        return maps + streams if self.residual else streams
