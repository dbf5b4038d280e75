"""The oracle, which is told the kernels, predicts drifting functions better than any model."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from datamodules import DriftingFunctions, FunctionSequences
from datamodules.points.gaussian_process.oracle import OraclePrediction, nll, predict
from lightning_modules import ANP
from lightning_modules.metrics.target_nll import Scores
from lightning_modules.neural_processes.networks import LEAST_SIGMA

SEQUENCES, STEPS, POINTS = 512, 5, 40
REGIMES = {
    "sparse": {"context_steps": 4, "contexts": (1, 3)},
    "transfer": {"context_steps": 3, "contexts": (3, 8)},
}


class Scored(NamedTuple):
    """Test sequences, and what the oracle says of them."""

    data: DriftingFunctions
    batch: FunctionSequences
    told: OraclePrediction
    optimal: Tensor  #: [B, T, M]

    @property
    def y(self) -> Tensor:
        return self.batch.target_y[..., 0].double()


@pytest.fixture(scope="module", params=REGIMES)
def scored(request: pytest.FixtureRequest) -> Scored:
    data = DriftingFunctions(
        regime=request.param,
        sequence_length=STEPS,
        most_points=20,
        train_points=POINTS,
        test_points=POINTS,
        test_size=SEQUENCES,
        batch_size=32,
        num_workers=0,
        **REGIMES[request.param],
    )
    data.setup()
    batch = data.dataset("test").__getitems__(range(SEQUENCES))
    told = predict(batch, POINTS)
    return Scored(data, batch, told, nll(batch.target_y[..., 0].double(), *told[:2]))


def floored(mean: Tensor, sigma: Tensor, y: Tensor) -> Tensor:
    """NLL of what a decoder can say."""
    return -Normal(mean, sigma.clamp_min(LEAST_SIGMA)).log_prob(y)


def two_halves(mean: Tensor, sigma: Tensor, y: Tensor) -> Tensor:
    """NLL of a mixture, as two samples of a latent make it."""
    sides = [-floored(mean + way * 0.3 * sigma, sigma, y) for way in (-1, 1)]
    return math.log(2) - torch.logaddexp(*sides)


#: What is made of the oracle's mean, sigma and the actual values.
RIVALS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "far too sure": lambda m, s, y: floored(m, 0.6 * s, y),
    "too sure": lambda m, s, y: floored(m, 0.8 * s, y),
    "too unsure": lambda m, s, y: floored(m, 1.3 * s, y),
    "never sure": lambda m, s, y: floored(m, s + 0.1, y),
    "just above the floor": lambda m, s, y: floored(m, s.clamp_min(0.12), y),
    "too high": lambda m, s, y: floored(m + 0.05, s, y),
    "too low": lambda m, s, y: floored(m - 0.05, s, y),
    "too near zero": lambda m, s, y: floored(0.9 * m, s, y),
    "too far from zero": lambda m, s, y: floored(1.1 * m, s, y),
    "shaken": lambda m, s, y: floored(m + 0.2 * s * torch.sin(1e4 * m), s, y),
    "in two halves": two_halves,
}


def z_scores(rival: Tensor, scored: Scored) -> Tensor:
    """Standard errors by which a rival's NLL is above the optimum, in each step and over all."""
    by_step = (rival - scored.optimal).mean(2)
    paired = torch.cat([by_step, by_step.mean(1, keepdim=True)], 1)
    return paired.mean(0) / (paired.std(0) / SEQUENCES**0.5)


def test_the_optimum_is_what_a_decoder_with_the_oracles_knowledge_says(scored: Scored) -> None:
    mean, variance, _ = scored.told
    torch.testing.assert_close(floored(mean, variance.sqrt(), scored.y), scored.optimal)


@pytest.mark.parametrize("rival", RIVALS)
def test_whoever_departs_from_the_oracle_loses(scored: Scored, rival: str) -> None:
    mean, variance, _ = scored.told
    above = z_scores(RIVALS[rival](mean, variance.sqrt(), scored.y), scored)
    assert (above > -3).all() and above[-1] > 3, f"{above}: as many standard errors above"


def test_taking_functions_to_stand_still_loses(scored: Scored) -> None:
    """A predictor that shares nothing with the oracle, and remembers all contexts as it does."""
    above = z_scores(standing_still(scored), scored)
    assert (above > -3).all(), f"{above}: as many standard errors above"


def standing_still(scored: Scored) -> Tensor:
    """NLL of a Gaussian process with each step's own kernel, to which all contexts are of now."""
    batch, result = scored.batch, []
    for t in range(STEPS):
        x, y, target_x = (
            part[..., 0].double()
            for part in (
                batch.context_x[:, : t + 1].flatten(1, 2),
                batch.context_y[:, : t + 1].flatten(1, 2),
                batch.target_x[:, t],
            )
        )
        real = batch.context_mask[:, : t + 1].flatten(1).double()
        length_scale, scale = batch.task[:, t].double().view(-1, 2, 1, 1).unbind(1)
        seen, asked = (
            scale**2
            * (-((to.unsqueeze(2) - x.unsqueeze(1)) ** 2) / (2 * length_scale**2)).exp()
            * real.unsqueeze(1)
            for to in (x, target_x)
        )
        # What is padding depends on nothing; 0.1: what drifts meanwhile.
        seen = seen * real.unsqueeze(2) + torch.diag_embed(0.1**2 * real + 1 - real)
        gain = torch.linalg.solve(seen, asked.mT).mT
        mean = (gain @ y.unsqueeze(2)).squeeze(2)
        variance = scale.squeeze(2) ** 2 - (gain * asked).sum(2)
        result.append(floored(mean, variance.clamp_min(0).sqrt(), scored.y[:, t]))
    return torch.stack(result, 1)


def test_a_model_that_has_learned_a_little_stays_above_the_optimum(scored: Scored) -> None:
    torch.manual_seed(0)
    sizes = {"sequence_length": STEPS, "test_length": STEPS, "x_size": 1, "y_size": 1}
    model = ANP(**sizes, x_range=4.0, hidden_size=16)
    untrained = nll_of(model, scored)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _, batch in zip(range(40), scored.data.train_dataloader(), strict=False):
        optimizer.zero_grad()
        (-model.bound(batch, model(batch)).total.mean()).backward()
        optimizer.step()
    trained = nll_of(model, scored)
    assert trained.mean() < untrained.mean() - 0.3, "else it has not learned"
    above = z_scores(trained, scored)
    assert (above > -3).all(), f"{above}: as many standard errors above"


@torch.no_grad()
def nll_of(model: ANP, scored: Scored) -> Tensor:
    """NLL as a strict test measures it."""
    return Scores.of(model.predictions(scored.batch, 5), scored.batch).nll.double()
