"""Samples of a model: reconstructions, generations and memory weightings of a few sequences."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from datamodules.frames.batch import FrameSequences
from lightning_modules.evaluation_mode import evaluating
from memory_cores import Weightings

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE, Unrolled


class Samples(NamedTuple):
    """Everything that is drawn of B sequences, float32 on the CPU."""

    batch: FrameSequences  #: the truth
    prefix: int  #: frames that ``generated`` was given
    unrolled: "Unrolled"  #: from all frames: latents, their distributions, weightings
    generated: Tensor  #: [B, T, C, H, W], reconstructed up to the prefix, then from the prior
    imagined: Tensor  #: [B, T, C, H, W], all from the prior

    @property
    def reconstruction(self) -> Tensor:
        """Intensities of the reconstructed frames, [B, T, C, H, W]."""
        return self.unrolled.logits.sigmoid()

    @property
    def weightings(self) -> Weightings:
        """Weightings of the memory while reconstructing, [B, T, heads, N]."""
        weightings = self.unrolled.trajectory.weightings
        assert weightings is not None, "they are recorded"
        return weightings


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
        unrolled=tree_map(_home, reconstructed),
        generated=_home(generated.logits).sigmoid(),
        imagined=_home(imagined.logits).sigmoid(),
    )


def _noise(model: "TemporalVAE", batch: FrameSequences, seed: int) -> Tensor:
    """Draw [B, T, Z] on the CPU, so that every device gets the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*batch.place.shape, model.backbone.latent_size, generator=generator)


def _home(tensor: Tensor) -> Tensor:
    return tensor.float().cpu()
