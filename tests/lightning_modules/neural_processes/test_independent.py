"""The bound of a model whose likelihood has a closed form."""

import math

import torch
from torch import Tensor, nn

from lightning_modules import NP
from tests.lightning_modules.neural_processes.small_processes import SIZES, draw

LOADING, SIGMA, POSTERIOR_GAIN = 1.5, 0.4, 0.6
TARGETS = 5


def layers(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]


@torch.no_grad()
def linear_model(posterior_log_variance: float) -> NP:
    """y = LOADING z_0 + noise, z ~ N(0, 1); the posterior is linear in the mean of the targets.

    ReLUs are passed in pairs: u = relu(u) - relu(-u).
    """
    model = NP(**{**SIZES, "sequence_length": 1, "test_length": 1}, hidden_size=4).double()
    for parameter in model.parameters():
        parameter.zero_()
    first, *middle, last = layers(model.latent_encoder)
    first.weight[0, -1], first.weight[1, -1], first.bias[2] = 1, -1, 1
    for layer in middle:
        layer.weight[:3, :3] = torch.eye(3)
    last.weight[0, 0], last.weight[0, 1], last.weight[2, 2] = 1, -1, 1
    # Pooled: [mean of y, 0, whether there is a point, 0].
    hidden, output = layers(model.latent_path.head)
    hidden.weight[0, 0], hidden.weight[1, 0], hidden.weight[2, 2] = 1, -1, 1
    output.weight[0, 0], output.weight[0, 1] = POSTERIOR_GAIN, -POSTERIOR_GAIN
    output.weight[4, 2] = posterior_log_variance
    model.decoder.first.weight[0, model.decoder.point_size] = 1
    model.decoder.first.weight[1, model.decoder.point_size] = -1
    second, third = layers(model.decoder.rest)
    second.weight[:2, :2] = torch.eye(2)
    third.weight[0, 0], third.weight[0, 1] = LOADING, -LOADING
    third.bias[1] = math.log(math.expm1((SIGMA - 0.1) / 0.9))
    return model


def expected_bound(y: Tensor, log_variance: float) -> float:
    """The bound in closed form: E_q[log p(y | z)] - KL[q || p]."""
    mean, variance = POSTERIOR_GAIN * y.mean().item(), math.exp(log_variance)
    residual = (y - LOADING * mean).square().sum().item() + len(y) * LOADING**2 * variance
    likelihood = -0.5 * len(y) * math.log(2 * math.pi * SIGMA**2) - residual / (2 * SIGMA**2)
    return likelihood - 0.5 * (variance + mean**2 - 1 - log_variance)


def bound_of(model: NP, y: Tensor) -> float:
    """The bound's expectation over the noise, which two nodes of Gauss-Hermite give exactly."""
    batch = draw([[0]], [[TARGETS]])._replace(target_y=y.view(1, 1, -1, 1))
    nodes = [torch.full((1, 1, 4), node, dtype=torch.float64) for node in (-1.0, 1.0)]
    return sum(model.bound(batch, model(batch, node)).total.item() for node in nodes) / 2


def test_bound_is_the_closed_form() -> None:
    y = torch.randn(TARGETS, dtype=torch.float64) + 1
    for log_variance in (-2.0, 0.3):
        assert math.isclose(
            bound_of(linear_model(log_variance), y), expected_bound(y, log_variance), rel_tol=1e-9
        )


def test_no_posterior_exceeds_the_likelihood_and_the_true_one_reaches_it(monkeypatch) -> None:
    y = torch.randn(TARGETS, dtype=torch.float64) + 1
    covariance = SIGMA**2 * torch.eye(TARGETS, dtype=torch.float64) + LOADING**2
    exact = torch.distributions.MultivariateNormal(torch.zeros_like(y), covariance).log_prob(y)
    for log_variance in (-4.0, -2.0, 0.0):
        assert bound_of(linear_model(log_variance), y) < exact
    precision = 1 + TARGETS * LOADING**2 / SIGMA**2
    gain = TARGETS * LOADING / SIGMA**2 / precision
    monkeypatch.setattr(f"{__name__}.POSTERIOR_GAIN", gain)
    assert math.isclose(bound_of(linear_model(-math.log(precision)), y), exact.item(), rel_tol=1e-9)
