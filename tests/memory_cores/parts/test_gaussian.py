"""Diagonal Gaussians against torch.distributions."""

import torch
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as reference_kl

from memory_cores.parts.gaussian import DiagonalGaussian, kl_divergence


def random_gaussian(generator: torch.Generator) -> DiagonalGaussian:
    parameters = torch.randn(4, 6, 10, generator=generator, dtype=torch.float64)
    return DiagonalGaussian.from_parameters(parameters)


def reference(gaussian: DiagonalGaussian) -> Independent:
    return Independent(Normal(gaussian.mean, gaussian.log_sigma.exp()), 1)


def test_kl_equals_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    q, p = random_gaussian(generator), random_gaussian(generator)
    expected = reference_kl(reference(q), reference(p))
    torch.testing.assert_close(kl_divergence(q, p), expected, rtol=1e-12, atol=0)


def test_kl_of_a_gaussian_from_itself_is_zero() -> None:
    q = random_gaussian(torch.Generator().manual_seed(1))
    torch.testing.assert_close(kl_divergence(q, q), torch.zeros(4, 6, dtype=torch.float64))


def test_kl_of_rounded_parameters_is_exact() -> None:
    """Computed in bfloat16, its terms would leave an error of 0.01 and have any sign."""
    generator = torch.Generator().manual_seed(3)
    p = DiagonalGaussian(*torch.randn(2, 50, 64, generator=generator).bfloat16())
    q = DiagonalGaussian(*(part + 0.01 * part.sign() for part in p))
    found = kl_divergence(q, p)
    exact = reference_kl(*(reference(DiagonalGaussian(*(x.double() for x in g))) for g in (q, p)))
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=1e-5)


def test_kl_has_the_closed_form_of_a_unit_shift() -> None:
    zeros = torch.zeros(1, 3)
    shifted = DiagonalGaussian(zeros + 2.0, zeros)
    assert kl_divergence(shifted, DiagonalGaussian(zeros, zeros)).item() == 6.0


def test_samples_have_the_gaussians_mean_and_deviation() -> None:
    gaussian = DiagonalGaussian(torch.tensor([1.0, -2.0]), torch.tensor([0.5, -1.0]))
    noise = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(2))
    samples = gaussian.sample(noise)
    torch.testing.assert_close(samples.mean(0), gaussian.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(samples.std(0), gaussian.log_sigma.exp(), atol=0.02, rtol=0)
