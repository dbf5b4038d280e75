"""The bound's terms against independent computations."""

import math

import numpy as np
import torch

from lightning_modules.likelihoods import GaussianLikelihood, bernoulli_log_likelihood
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


def test_the_bound_sums_steps_and_the_loss_averages_sequences() -> None:
    bound = Bound(
        reconstruction=torch.tensor([[-10.0, -20.0], [-1.0, -2.0]]),
        kl=torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    )
    assert bound.per_step.tolist() == [[-11.0, -22.0], [-4.0, -6.0]]
    assert bound.total.tolist() == [-33.0, -10.0]
    assert negative_elbo(bound).item() == 21.5


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
