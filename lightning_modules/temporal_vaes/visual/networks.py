"""Base class of visual networks: an encoder and a decoder of all frames of a batch at once."""

from typing import NamedTuple

from torch import Tensor, nn


class VisualSizes(NamedTuple):
    """Sizes that the model and its data determine."""

    frame_shape: tuple[int, int, int]  #: channels, height, width
    decoder_inputs: int  #: width of [z_t; psi_t]


class VisualNetworks(nn.Module):
    """Base class: subclasses build ``encoder`` and ``decoder``.

    ``encoder`` maps [F, C, H, W] in (-1, 1) to [F, feature_size]; ``decoder`` maps [F, D] to
    [F, C, H, W]. Batch norm, where there is one, sees all B * T frames of a batch.
    """

    encoder: nn.Module
    decoder: nn.Module
    feature_size: int

    def encode(self, frames: Tensor) -> Tensor:
        """Encode frames [B, T, C, H, W] with intensities in [0, 1] to features [B, T, F]."""
        return self.encoder(2 * frames.flatten(0, 1) - 1).unflatten(0, frames.shape[:2])

    def decode(self, inputs: Tensor) -> Tensor:
        """Decode [B, T, D] to the parameters of the likelihood, [B, T, C, H, W]."""
        return self.decoder(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
