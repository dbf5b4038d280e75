"""Predictions of one sequence, and the places where the model's memory imagines points."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.evaluation_mode import evaluating
from lightning_modules.likelihoods import Targets
from lightning_modules.noise import Purpose, sequence_noise
from memory_cores.rmr import RMRSnapshot

if TYPE_CHECKING:
    from lightning_modules.neural_processes.neural_process import NeuralProcess


class PredictedSequence(NamedTuple):
    """One sequence and its prediction, float32 on the CPU."""

    sequence: FunctionSequences  #: the truth, without B; its targets are all points, in their order
    targets: Targets  #: mean and sigma of the predictive, [T, M, Dy]
    keys: Tensor | None  #: [T, K, Dx], where the cells of an RMR are
    x_range: float  #: places go from -x_range to x_range


def predict(model: "NeuralProcess", sequence: FunctionSequences, seed: int) -> PredictedSequence:
    """Predict the targets from the contexts, with as many samples as a validation draws.

    The noise depends on the seed and the sequence only; the model's modes do not change.

    Args:
        model: on any device, in any floating type.
        sequence: of validation or test, on the CPU, without B.
        seed: the seed of the noise.
    """
    like = next(model.parameters())
    batch = FunctionSequences(*(_moved(field, like).unsqueeze(0) for field in sequence))
    samples = model.validation_samples
    shape = samples, batch.context_mask.shape[1], model.noise_size
    noise = sequence_noise(batch.episode, shape, seed, Purpose.PICTURES).transpose(0, 1).to(like)
    with evaluating(model), torch.no_grad():
        targets = model.predict(batch, samples, noise).mixed()
        # Of the first sample, where a memory draws.
        snapshot = model.recall(batch, told=False, noise=noise[0]).snapshot
    mean, sigma = (part[0].float().cpu() for part in targets)
    keys = _keys(snapshot, sequence.context_x.shape[-1], model.place_scale)
    return PredictedSequence(sequence, Targets(mean, sigma), keys, model.hparams["x_range"])


def _moved(field: Tensor, like: Tensor) -> Tensor:
    return field.to(like) if field.is_floating_point() else field.to(like.device)


def _keys(snapshot: Any, x_size: int, scale: float) -> Tensor | None:
    """Return the first Dx coordinates of imaginary keys; models scale them, and append the step."""
    if not isinstance(snapshot, RMRSnapshot):
        return None
    return snapshot.places[0, :, :, :x_size].float().cpu() / scale
