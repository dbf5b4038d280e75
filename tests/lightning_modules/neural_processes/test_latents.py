"""Priors and posteriors: which steps each depends on."""

from collections.abc import Callable

import torch

from datamodules import FunctionSequences
from lightning_modules.neural_processes import NeuralProcess
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES, UNEVEN, draw

Make = Callable[..., NeuralProcess]


def test_a_posterior_knows_nothing_of_later_steps(make: Make) -> None:
    """Given the noise, latents and reconstructions of steps 0 and 1 are those of other futures."""
    model = make()
    noise = torch.randn(2, 4, model.noise_size, dtype=torch.float64)
    other = draw([[0, 3, 4, 0], [2, 0, 0, 5]], [[4, 1, 2, 6], [3, 5, 4, 3]], seed=1)
    parts = (torch.cat([a[:, :2], b[:, 2:]], 1) for a, b in zip(UNEVEN[:-1], other, strict=False))
    mixed = FunctionSequences(*parts, UNEVEN.episode)
    inferences = []
    for batch in (UNEVEN, mixed):
        inferred = model(batch, noise)
        bound = model.bound(batch, inferred)
        inferences.append((*inferred.latents.posterior, inferred.latents.sample, *bound))
    for one, another in zip(*inferences, strict=True):
        torch.testing.assert_close(one[:, :2], another[:, :2])
        assert not torch.allclose(one[:, 2:], another[:, 2:])


def test_a_posterior_knows_the_targets_of_its_own_step(make: Make) -> None:
    model = make()
    noise = torch.zeros(2, 4, model.noise_size, dtype=torch.float64)
    changed = UNEVEN._replace(target_y=UNEVEN.target_y.clone())
    changed.target_y[:, 1] += 1
    means = []
    for batch in (UNEVEN, changed):
        means.append(model(batch, noise).latents.posterior.mean)
    torch.testing.assert_close(means[0][:, 0], means[1][:, 0])
    assert not torch.allclose(means[0][:, 1], means[1][:, 1])


def test_contexts_of_all_steps_make_the_prior() -> None:
    """NP and ANP: after a step that shows points, steps that show none change nothing."""
    for name in ("NP", "ANP"):
        torch.manual_seed(0)
        model = MODELS[name](**SIZES, hidden_size=8).double()
        batch = draw([[4, 0, 0, 0]], [[1, 1, 1, 1]])
        mean = model(batch).latents.prior.mean
        torch.testing.assert_close(mean, mean[:, :1].expand_as(mean))
        assert mean.any()
