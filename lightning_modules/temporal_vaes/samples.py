"""Samples of a model: reconstructions, generations and memory weightings of a few sequences."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from lightning_modules.evaluation_mode import evaluating
from memory_cores import Weightings

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE, Unrolled


class Samples(NamedTuple):
    """Everything that is drawn of B sequences, float32 on the CPU."""

    batch: FrameSequences  #: the truth
    prefix: int  #: frames that ``generated`` was given
    reconstruction: Tensor  #: [B, T, C, H, W], from all frames
    generated: Tensor  #: [B, T, C, H, W], reconstructed up to the prefix, then from the prior
    imagined: Tensor  #: [B, T, C, H, W], all from the prior
    weightings: Weightings  #: [B, T, heads, N], while reconstructing


def sample(model: "TemporalVAE", batch: FrameSequences, prefix: int, seed: int) -> Samples:
    """Run the model three times with the same noise.

    The noise depends on the seed only, so that pictures compare across epochs; neither the global
    random state nor the model's modes change.

    Args:
        model: on any device, in any floating type.
        batch: B sequences on the CPU.
        prefix: true frames before generation, at most T.
        seed: the seed of the noise.
    """
    like = next(model.parameters())
    frames, actions, noise = (
        x.to(like) for x in (batch.frames, batch.actions, _noise(model, batch, seed))
    )
    with evaluating(model), torch.no_grad():
        reconstructed = model(frames, actions, noise, record=True)
        generated = model(frames[:, :prefix], actions, noise)
        imagined = model(frames[:, :0], actions, noise)
    return Samples(
        batch,
        prefix,
        reconstruction=_intensities(reconstructed),
        generated=_intensities(generated),
        imagined=_intensities(imagined),
        weightings=Weightings(*map(_home, reconstructed.trajectory.weightings)),
    )


def _noise(model: "TemporalVAE", batch: FrameSequences, seed: int) -> Tensor:
    """Draw [B, T, Z] on the CPU, so that every device gets the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*batch.place.shape, model.backbone.latent_size, generator=generator)


def _intensities(unrolled: "Unrolled") -> Tensor:
    return _home(unrolled.logits.sigmoid())


def _home(tensor: Tensor) -> Tensor:
    return tensor.float().cpu()
