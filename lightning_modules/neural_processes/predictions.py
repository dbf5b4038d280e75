"""Predictions of one sequence, and the places of its memory's imaginary keys."""

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

    sequence: FunctionSequences  #: the truth, without B; its targets are all points, in order
    targets: Targets  #: mean and sigma of the predictive, [T, M, Dy]
    keys: Tensor | None  #: [T, K, Dx], places of an RMR's imaginary keys
    x_range: float  #: places go from -x_range to x_range


def predict(model: "NeuralProcess", sequence: FunctionSequences, seed: int) -> PredictedSequence:
    """Predict the targets from the contexts, with as many samples as a validation draws.

    The noise depends on the seed and the sequence only; each module's mode is restored.

    Args:
        model: on any device, in any floating type.
        sequence: a validation or test sequence, on the CPU, without B.
        seed: the seed of the noise.
    """
    batch = moved(FunctionSequences(*(field.unsqueeze(0) for field in sequence)), model)
    like = next(model.parameters())
    samples = model.validation_samples
    shape = samples, batch.context_mask.shape[1], model.noise_size
    noise = sequence_noise(batch.episode, shape, seed, Purpose.PICTURES).transpose(0, 1).to(like)
    with evaluating(model), torch.no_grad():
        targets = model.predict(batch, samples, noise).mixed()
        # A stochastic memory has one snapshot per sample; this is the first one's.
        snapshot = model.recall(batch, with_targets=False, noise=noise[0]).snapshot
    mean, sigma = (part[0].float().cpu() for part in targets)
    keys = places_of_keys(model, snapshot, sequence.context_x.shape[-1])
    own_keys = None if keys is None else keys[0]
    return PredictedSequence(sequence, Targets(mean, sigma), own_keys, model.hparams["x_range"])


def moved(batch: FunctionSequences, model: "NeuralProcess") -> FunctionSequences:
    """Move a batch to the model's device, and cast its floats to the model's type."""
    like = next(model.parameters())
    return FunctionSequences(
        *(f.to(like) if f.is_floating_point() else f.to(like.device) for f in batch)
    )


def places_of_keys(model: "NeuralProcess", snapshot: Any, x_size: int) -> Tensor | None:
    """Return the places of an RMR's imaginary keys, float32 [B, T, K, Dx] on the CPU.

    Args:
        model: the memory's model, which scales places and may append the step to them.
        snapshot: the memory's, at all steps.
        x_size: width Dx of a place.

    Returns:
        The places; None for a memory without imaginary keys.
    """
    if not isinstance(snapshot, RMRSnapshot):
        return None
    return snapshot.places[..., :x_size].float().cpu() / model.place_scale
