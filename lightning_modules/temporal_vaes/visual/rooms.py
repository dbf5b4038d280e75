"""The paper's networks for rooms in 3D (Gemici et al. 2017, appendix B.2), and smaller ones."""

import torch
from torch import Tensor, nn

from lightning_modules.temporal_vaes.visual.networks import VisualNetworks, VisualSizes

#: Channels, height and width of the frames that fit the paper's convolutions.
FRAME_SHAPE = (3, 32, 32)
GLOBAL_FEATURES, TEXTURE_MAPS = 256, (8, 8, 8)
TEXTURE_FEATURES = 512


class RoomNetworks(VisualNetworks):
    """Two pathways each way: one that sees the whole frame, and one for its texture.

    The paper gives sizes, strides and padding, and says that the decoder is the transpose. Our
    choices where it is silent: ReLU between layers and none at the end, no normalisation, and the
    decoder's two images are added before the likelihood. The model's posterior map is the linear
    layer after the encoder's 768 features.

    Args:
        sizes: given by the model.

    Raises:
        ValueError: the frames are not 3 x 32 x 32.
    """

    def __init__(self, sizes: VisualSizes) -> None:
        super().__init__()
        _require_rooms(sizes)
        self.feature_size = GLOBAL_FEATURES + TEXTURE_FEATURES
        self.encoder = SideBySide(
            nn.Sequential(
                nn.Conv2d(3, 128, 5, stride=3),
                nn.ReLU(),
                nn.Conv2d(128, 256, 4, stride=2),
                nn.ReLU(),
                nn.Conv2d(256, GLOBAL_FEATURES, 4),
                nn.Flatten(),
            ),
            nn.Sequential(
                nn.Conv2d(3, 16, 4, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, TEXTURE_MAPS[0], 4, stride=2, padding=1),
                nn.Flatten(),
            ),
        )
        self.decoder = nn.Sequential(
            nn.Linear(sizes.decoder_inputs, self.feature_size),
            nn.ReLU(),
            SumOfHalves(
                nn.Sequential(
                    nn.Unflatten(1, (GLOBAL_FEATURES, 1, 1)),
                    nn.ConvTranspose2d(GLOBAL_FEATURES, 256, 4),
                    nn.ReLU(),
                    nn.ConvTranspose2d(256, 128, 4, stride=2),
                    nn.ReLU(),
                    nn.ConvTranspose2d(128, 3, 5, stride=3),
                ),
                nn.Sequential(
                    nn.Unflatten(1, TEXTURE_MAPS),
                    nn.ConvTranspose2d(TEXTURE_MAPS[0], 16, 4, stride=2, padding=1),
                    nn.ReLU(),
                    nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1),
                ),
            ),
        )


class SideBySide(nn.Module):
    """Two networks with the same input, whose features are concatenated."""

    def __init__(self, whole: nn.Module, texture: nn.Module) -> None:
        super().__init__()
        self.whole, self.texture = whole, texture

    def forward(self, frames: Tensor) -> Tensor:
        """Map [F, C, H, W] to [F, 768]."""
        return torch.cat([self.whole(frames), self.texture(frames)], 1)


class SumOfHalves(nn.Module):
    """Two networks that each see a part of the features; their images are added."""

    def __init__(self, whole: nn.Module, texture: nn.Module) -> None:
        super().__init__()
        self.whole, self.texture = whole, texture

    def forward(self, features: Tensor) -> Tensor:
        """Map [F, 768] to [F, C, H, W]."""
        whole, texture = features.split([GLOBAL_FEATURES, TEXTURE_FEATURES], 1)
        return self.whole(whole) + self.texture(texture)


class CompactRoomNetworks(VisualNetworks):
    """Two convolutions and a hidden layer each way; they train within an hour on a CPU.

    Args:
        sizes: given by the model.
        maps: maps of the inner convolution; the outer one has half as many.
        hidden_size: width of the features.

    Raises:
        ValueError: the frames are not 3 x 32 x 32.
    """

    def __init__(self, sizes: VisualSizes, maps: int = 64, hidden_size: int = 256) -> None:
        super().__init__()
        _require_rooms(sizes)
        inner = (maps, 4, 4)
        self.feature_size = hidden_size
        self.encoder = nn.Sequential(
            nn.Conv2d(3, maps // 2, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(maps // 2, maps, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(maps * 16, hidden_size),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.Linear(sizes.decoder_inputs, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, maps * 16),
            nn.ReLU(),
            nn.Unflatten(1, inner),
            nn.ConvTranspose2d(maps, maps // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(maps // 2, 3, 4, stride=4),
        )


def _require_rooms(sizes: VisualSizes) -> None:
    if sizes.frame_shape != FRAME_SHAPE:
        raise ValueError(f"frame_shape must be {FRAME_SHAPE}, got {sizes.frame_shape}")
