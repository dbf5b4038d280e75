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
    batch = moved(FunctionSequences(*(field.unsqueeze(0) for field in sequence)), model)
    like = next(model.parameters())
    samples = model.validation_samples
    shape = samples, batch.context_mask.shape[1], model.noise_size
    noise = sequence_noise(batch.episode, shape, seed, Purpose.PICTURES).transpose(0, 1).to(like)
    with evaluating(model), torch.no_grad():
        targets = model.predict(batch, samples, noise).mixed()
        # Of the first sample, where a memory draws.
        snapshot = model.recall(batch, told=False, noise=noise[0]).snapshot
    mean, sigma = (part[0].float().cpu() for part in targets)
    keys = places_of_keys(model, snapshot, sequence.context_x.shape[-1])
    whole = None if keys is None else keys[0]
    return PredictedSequence(sequence, Targets(mean, sigma), whole, model.hparams["x_range"])


def moved(batch: FunctionSequences, model: "NeuralProcess") -> FunctionSequences:
    """Bring a batch to the model's device, and its floats to the model's type."""
    like = next(model.parameters())
    return FunctionSequences(
        *(f.to(like) if f.is_floating_point() else f.to(like.device) for f in batch)
    )


def places_of_keys(model: "NeuralProcess", snapshot: Any, x_size: int) -> Tensor | None:
    """Return where the cells of an RMR are, float32 [B, T, K, Dx] on the CPU.

    Args:
        model: whose memory it is; it scales places, and may append the step to them.
        snapshot: of the memory, at all steps.
        x_size: width Dx of a place.

    Returns:
        None of a memory without imaginary keys.
    """
    if not isinstance(snapshot, RMRSnapshot):
        return None
    return snapshot.places[..., :x_size].float().cpu() / model.place_scale
