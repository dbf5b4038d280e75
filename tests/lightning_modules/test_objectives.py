"""The bound's terms against independent computations."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from lightning_modules.likelihoods import (
    GaussianLikelihood,
    Likelihood,
    bernoulli_log_likelihood,
    make_likelihood,
)
from lightning_modules.objectives import Bound, negative_elbo


def test_bernoulli_log_likelihood_equals_a_numpy_loop() -> None:
    rng = np.random.default_rng(0)
    logits, intensities = rng.normal(size=(2, 3, 1, 4, 5)), rng.random((2, 3, 1, 4, 5))
    probability = 1 / (1 + np.exp(-logits))
    nats = intensities * np.log(probability) + (1 - intensities) * np.log(1 - probability)
    result = bernoulli_log_likelihood(torch.tensor(logits), torch.tensor(intensities))
    np.testing.assert_allclose(result.numpy(), nats.sum((2, 3, 4)), rtol=1e-12)


def test_an_undecided_decoder_costs_log_two_per_pixel() -> None:
    result = bernoulli_log_likelihood(torch.zeros(1, 1, 1, 28, 28), torch.rand(1, 1, 1, 28, 28))
    assert math.isclose(result.item(), -784 * math.log(2), rel_tol=1e-5)


def test_a_fixed_width_is_not_learned_and_the_kinds_are_named() -> None:
    fixed = make_likelihood("gaussian", sigma=0.25)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    logits, intensities = torch.randn(2, 1, 3, 2, 2), torch.rand(2, 1, 3, 2, 2)
    expected = torch.distributions.Normal(logits.sigmoid(), 0.25).log_prob(intensities)
    torch.testing.assert_close(fixed(logits, intensities), expected.sum((2, 3, 4)))
    with pytest.raises(ValueError, match="likelihood_sigma must be above 0, got 0"):
        make_likelihood("gaussian", sigma=0.0)
    with pytest.raises(ValueError, match=r"likelihood_sigma must be null for logistic, got 0\.1"):
        make_likelihood("logistic", sigma=0.1)


def test_discretised_logistic_is_a_probability_of_256_levels() -> None:
    """Against differences of the logistic's distribution function in float64; they sum to 1."""
    likelihood = make_likelihood("logistic").double()
    levels = (torch.arange(256).double() / 255).view(1, 256, 1, 1, 1)
    for logit, log_scale in ((0.3, -2.0), (-9.0, -3.0), (4.0, 0.5)):
        with torch.no_grad():
            likelihood.log_scale.fill_(log_scale)
        found = likelihood(torch.full_like(levels, logit), levels)[0]
        mean, scale = torch.tensor(logit).double().sigmoid(), math.exp(log_scale)
        edges = (torch.arange(257).double() - 0.5) / 255
        below = ((edges - mean) / scale).sigmoid()
        below[0], below[-1] = 0, 1
        torch.testing.assert_close(found.exp(), below.diff())
        assert found.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_discretised_logistic_is_finite_far_from_its_mean() -> None:
    likelihood = make_likelihood("logistic")
    with torch.no_grad():
        likelihood.log_scale.fill_(-7.0)
    logits = torch.full((1, 1, 1, 1, 3), -20.0, requires_grad=True)
    nats = likelihood(logits, torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 1, 3))
    nats.sum().backward()
    assert nats.isfinite().all() and logits.grad is not None and logits.grad.isfinite().all()
    # About 1 / scale below 0 for the last of the three, and half as much for the second.
    assert nats.item() == pytest.approx(-1.5 * math.exp(7), rel=0.01)


def test_the_bound_sums_steps_and_the_loss_averages_sequences() -> None:
    bound = Bound(
        reconstruction=torch.tensor([[-10.0, -20.0], [-1.0, -2.0]]),
        kl=torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    )
    assert bound.per_step.tolist() == [[-11.0, -22.0], [-4.0, -6.0]]
    assert bound.total.tolist() == [-33.0, -10.0]
    assert negative_elbo(bound).item() == 21.5


@pytest.mark.parametrize("kind", get_args(Likelihood))
def test_the_sum_over_pixels_is_exact_whatever_a_decoder_computes_in(kind: Likelihood) -> None:
    """A frame of 3 x 32 x 32 has 3,072 summands, of which bfloat16 keeps eight bits."""
    torch.manual_seed(0)
    likelihood = make_likelihood(kind)
    logits, intensities = torch.randn(2, 1, 3, 32, 32).bfloat16(), torch.rand(2, 1, 3, 32, 32)
    found = likelihood(logits, intensities.bfloat16())
    expected = likelihood(logits.double(), intensities.bfloat16().double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0)


def test_gaussian_likelihood_is_that_of_independent_pixels_with_one_learned_width() -> None:
    likelihood = GaussianLikelihood().double()
    with torch.no_grad():
        likelihood.log_sigma.fill_(-0.7)
    logits, intensities = torch.randn(2, 3, 1, 4, 5).double(), torch.rand(2, 3, 1, 4, 5).double()
    pixels = torch.distributions.Normal(logits.sigmoid(), likelihood.log_sigma.exp())
    expected = pixels.log_prob(intensities).sum((2, 3, 4))
    torch.testing.assert_close(likelihood(logits, intensities), expected)
    # The best width is the root of the mean squared error.
    squared = (intensities - logits.sigmoid()).square().mean()
    with torch.no_grad():
        likelihood.log_sigma.copy_(squared.sqrt().log())
    likelihood(logits, intensities).sum().backward()
    torch.testing.assert_close(likelihood.log_sigma.grad, torch.zeros((), dtype=torch.float64))
