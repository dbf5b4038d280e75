"""The encoder of patches (Yoon et al. 2020, appendix B.3)."""

import torch
from torch import Tensor, nn

from lightning_modules.neural_processes.networks import SetEncoder
from memory_cores.parts.real_points import RealPoints
from memory_cores.parts.same_convolution import SameConvolution


class PatchEncoder(SetEncoder):
    """Three convolutions with ReLU between; the place of the patch enters the last one.

    The paper gives the number of layers and where the place enters; kernels and strides are our
    choice, after TGQN's tower, which shrinks images by 4.

    Args:
        patch: channels, height and width, divisible by 4.
        place_size: width Dx of a place.
        size: maps h of an encoding.
    """

    def __init__(self, patch: tuple[int, int, int], place_size: int, size: int) -> None:
        super().__init__()
        self.patch = patch
        self.see = nn.Sequential(
            nn.Conv2d(patch[0], max(1, size // 2), 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(max(1, size // 2), size, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.locate = SameConvolution(size + place_size, size, 3)

    def forward(self, x: Tensor, y: Tensor, real: RealPoints) -> Tensor:
        """Encode the real points of x [..., N, Dx] and y [..., N, C H W] as rows of h H W / 16."""
        places, patches = real.rows(x), real.rows(y)
        seen = self.see(patches.flatten(0, -2).unflatten(-1, self.patch))
        everywhere = places.flatten(0, -2)[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        maps = self.locate(torch.cat([seen, everywhere], 1))
        return maps.flatten(1).unflatten(0, places.shape[:-1])
