"""Pictures show what the model predicts, and predicting leaves no trace."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datamodules import DriftingFunctions, FunctionSequences
from lightning_modules import SNP
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.predictions import predict
from lightning_modules.noise import Purpose, sequence_noise


@pytest.fixture
def sequence(drifting: DriftingFunctions) -> FunctionSequences:
    return drifting.dataset("val")[0]


def batch_of(sequence: FunctionSequences) -> FunctionSequences:
    return FunctionSequences(*(field.unsqueeze(0) for field in sequence))


def noise_of_pictures(model: NeuralProcess, sequence: FunctionSequences, samples: int) -> Tensor:
    """Noise with seed 7, [K, 1, T, D]."""
    shape = samples, len(sequence.context_mask), model.noise_size
    drawn = sequence_noise(sequence.episode.view(1), shape, 7, Purpose.PICTURES)
    return drawn.transpose(0, 1)


def test_it_is_the_mixture_of_a_validations_samples(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], sequence: FunctionSequences
) -> None:
    model = process(drifting)
    drawn = predict(model, sequence, seed=7)
    noise = noise_of_pictures(model, sequence, 5)
    with torch.no_grad():
        parts = model.predict(batch_of(sequence), 5, noise)
    torch.testing.assert_close(drawn.targets.mean, parts.mean.mean(0)[0])
    second = (parts.sigma.square() + parts.mean.square()).mean(0)[0]
    torch.testing.assert_close(
        drawn.targets.sigma, (second - drawn.targets.mean.square()).sqrt(), rtol=1e-4, atol=1e-5
    )
    assert len(parts.mean) == 5
    assert drawn.sequence.context_mask.any(1).tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("stochastic_keys", [False, True])
def test_keys_are_those_of_the_memory(
    drifting: DriftingFunctions,
    process: Callable[..., NeuralProcess],
    sequence: FunctionSequences,
    stochastic_keys: bool,
) -> None:
    model = process(drifting, stochastic_keys=stochastic_keys)
    keys = predict(model, sequence, seed=7).keys
    noise = noise_of_pictures(model, sequence, model.validation_samples)[0]
    places = model.recall(batch_of(sequence), with_targets=False, noise=noise).snapshot.places
    assert keys is not None and keys.shape == (6, 5, 1)
    assert torch.equal(keys, places[0].detach())


def test_other_memories_imagine_no_keys(sequence: FunctionSequences) -> None:
    model = SNP(sequence_length=6, test_length=6, x_size=1, x_range=4.0, y_size=1, hidden_size=8)
    assert predict(model, sequence, seed=0).keys is None


def test_the_future_is_not_seen(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], sequence: FunctionSequences
) -> None:
    model = process(drifting)
    other = sequence._replace(context_y=sequence.context_y.clone(), target_y=-sequence.target_y)
    other.context_y[3] += 1
    first, second = (predict(model, s, 0).targets.mean for s in (sequence, other))
    torch.testing.assert_close(first[:3], second[:3])
    assert not torch.allclose(first[3], second[3])


def test_random_state_modes_and_gradients_are_left_alone(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], sequence: FunctionSequences
) -> None:
    model = process(drifting).train()
    model.decoder.eval()
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state()
    first, again, other = (predict(model, sequence, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert not first.targets.mean.requires_grad and torch.is_grad_enabled()
    assert torch.equal(first.targets.mean, again.targets.mean)
    assert not torch.equal(first.targets.mean, other.targets.mean)


def test_half_precision_models_are_drawn_too(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], sequence: FunctionSequences
) -> None:
    drawn = predict(process(drifting).bfloat16(), sequence, 0)
    assert drawn.keys is not None
    assert {x.dtype for x in (*drawn.targets, drawn.keys)} == {torch.float32}
