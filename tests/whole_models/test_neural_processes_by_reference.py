"""Every model of the family against a plain reading of the papers' equations."""

from typing import Any

import numpy as np
import pytest
import torch

from datamodules import FunctionSequences
from lightning_modules.neural_processes import NeuralProcess
from tests.lightning_modules.neural_processes import neural_process_reference as reference
from tests.lightning_modules.neural_processes.neural_process_parameters import (
    noise_of_keys,
    process_of,
    sequences_of,
)
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES, draw

STEPS = 6
#: Fewer than the steps of the batches: test sequences may be longer.
TRAINED = 4
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in MODELS},
    **{f"{name}, sums": (name, {"pooling": "sum"}) for name in MODELS},
    "SNP, other depths": ("SNP", {"latent_layers": 2, "deterministic_layers": 3}),
    "NP, latents pool the memory": ("NP", {"pool_memory": True}),
    "ASNP-W, latents pool the memory": ("ASNP-W", {"pool_memory": True}),
    "ASNP-RMR, latents do not pool it": ("ASNP-RMR", {"pool_memory": False}),
    "ASNP-RMR, with the step and an LSTM": (
        "ASNP-RMR",
        {"step_in_x": True, "recurrent_path": True},
    ),
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def build(variant: str) -> tuple[NeuralProcess, reference.Process]:
    """A model whose biases are not zero, and the reference's view of it."""
    name, settings = VARIANTS[variant]
    torch.manual_seed(0)
    sizes = {**SIZES, "sequence_length": TRAINED, "x_size": 2, "x_range": 2.0}
    sizes |= {"y_size": 2, "hidden_size": 8}
    model = MODELS[name](**sizes | settings).double()
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    if settings.get("pooling") == "sum":  # of many points, else sigmas are astronomic
        with torch.no_grad():
            model.latent_path.head.network[-1].weight.mul_(0.1)
    return model, process_of(name, model, TRAINED, **settings)


def ragged(seed: int) -> FunctionSequences:
    """Sequences of sets of 0 to 6 context points and 1 to 6 targets, in two dimensions."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(1, 7, (3, STEPS)) * (rng.random((3, STEPS)) < 0.6)
    contexts[0, [0, 3]], contexts[0, [2, 4]], contexts[1, 0] = 0, (1, 6), 5
    batch = draw(contexts.tolist(), rng.integers(1, 7, (3, STEPS)).tolist(), seed, x_size=2)
    context_y, target_y = (
        torch.cat([y, (3 * y).sin()], -1) for y in (batch.context_y, batch.target_y)
    )
    return batch._replace(context_y=context_y, target_y=target_y)


def read(
    model: NeuralProcess,
    process: reference.Process,
    batch: FunctionSequences,
    with_targets: bool,
    noise: np.ndarray,
) -> list[list[reference.Read]]:
    """Run the reference on each sequence with noise [B, T, D]."""
    key_noise, noise = noise_of_keys(model, noise), noise[..., : model.units]
    return [
        reference.run(
            process, steps, noise[b], with_targets, None if key_noise is None else key_noise[b]
        )
        for b, steps in enumerate(sequences_of(batch))
    ]


def assert_equal(found: torch.Tensor, expected: Any, what: str) -> None:
    difference = np.abs(found.detach().numpy() - np.array(expected)).max()
    assert difference < 1e-9, f"{what}: {difference}"


@every_variant
@pytest.mark.parametrize("seed", [1, 2])
def test_inference_and_bound_equal_the_reference(variant: str, seed: int) -> None:
    (model, process), batch = build(variant), ragged(seed)
    torch.manual_seed(seed)
    noise = torch.randn(3, STEPS, model.noise_size, dtype=torch.float64)
    inferred = model(batch, noise)
    bound = model.bound(batch, inferred)
    for b, steps in enumerate(read(model, process, batch, True, noise.numpy())):
        for t, expected in enumerate(steps):
            where = f"sequence {b}, step {t}"
            for name in ("prior", "posterior"):
                mean, log_sigma = getattr(inferred.latents, name)
                assert_equal(mean[b, t], getattr(expected, name)[0], f"{name} mean, {where}")
                assert_equal(log_sigma[b, t], getattr(expected, name)[1], f"{name}, {where}")
            assert_equal(inferred.latents.sample[b, t], expected.latent, f"latent, {where}")
            real = batch.target_mask[b, t]
            means, sigmas = zip(*expected.targets, strict=True)
            assert_equal(inferred.targets.mean[b, t, real], means, f"mean, {where}")
            assert_equal(inferred.targets.sigma[b, t, real], sigmas, f"sigma, {where}")
            assert_equal(bound.kl[b, t], expected.kl, f"KL, {where}")
            likelihood = bound.reconstruction[b, t]
            assert_equal(likelihood, expected.log_likelihood, f"log-likelihood, {where}")


@every_variant
def test_predictions_from_the_prior_equal_the_reference(variant: str) -> None:
    (model, process), batch = build(variant), ragged(5)
    noise = torch.randn(3, 3, STEPS, model.noise_size, dtype=torch.float64)
    targets = model.predict(batch, 3, noise)
    samples = [read(model, process, batch, False, part.numpy()) for part in noise]
    for k, sequences in enumerate(samples):
        for b, steps in enumerate(sequences):
            for t, expected in enumerate(steps):
                real, where = batch.target_mask[b, t], f"sample {k}, sequence {b}, step {t}"
                means, sigmas = zip(*expected.targets, strict=True)
                assert_equal(targets.mean[k, b, t, real], means, f"mean, {where}")
                assert_equal(targets.sigma[k, b, t, real], sigmas, f"sigma, {where}")


def test_the_reference_itself_has_a_memory_that_draws() -> None:
    """Otherwise the comparison of its KL would be one of zeros."""
    (model, process), batch = build("ASNP-RMR, stochastic"), ragged(1)
    noise = np.random.default_rng(0).normal(size=(3, STEPS, model.noise_size))
    key_noise = noise_of_keys(model, noise)
    assert key_noise is not None
    (steps, *_) = sequences_of(batch)
    shown = reference.remember(process, steps, True, key_noise[0])
    assert all(step.kl > 1e-4 for step in shown)
