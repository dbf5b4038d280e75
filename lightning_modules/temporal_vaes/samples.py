"""Samples of a model: reconstructions, generations and memory weightings of a few sequences."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from datamodules.frames.batch import FrameSequences
from lightning_modules.evaluation_mode import evaluating
from lightning_modules.noise import Purpose, sequence_noise
from memory_cores import Weightings

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE, Unrolled


class Samples(NamedTuple):
    """Samples of B sequences, float32 on the CPU."""

    batch: FrameSequences  #: the truth
    prefix: int  #: number of given frames in ``generated``
    unrolled: "Unrolled"  #: inferred from all frames: latents, distributions, weightings
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
        assert weightings is not None, "sample records them"
        return weightings


def sample(model: "TemporalVAE", batch: FrameSequences, prefix: int, seed: int) -> Samples:
    """Run the model three times with the same noise.

    The noise depends on the seed and the sequences only, so that pictures compare across epochs;
    each module's mode is restored.

    Args:
        model: on any device, in any floating type.
        batch: B sequences on the CPU.
        prefix: number of true frames before generation, at most T.
        seed: the seed of the noise.
    """
    like = next(model.parameters())
    shape = batch.place.shape[1], model.backbone.noise_size
    noise_of_pictures = sequence_noise(batch.episode, shape, seed, Purpose.PICTURES)
    frames, actions, noise = (x.to(like) for x in (batch.frames, batch.actions, noise_of_pictures))
    with evaluating(model), torch.no_grad():
        reconstructed = model(frames, actions, noise, record=True)
        generated = model(frames[:, :prefix], actions, noise)
        imagined = model(frames[:, :0], actions, noise)
    return Samples(
        batch,
        prefix,
        unrolled=tree_map(_on_cpu, reconstructed),
        generated=_on_cpu(generated.logits).sigmoid(),
        imagined=_on_cpu(imagined.logits).sigmoid(),
    )


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.float().cpu()
