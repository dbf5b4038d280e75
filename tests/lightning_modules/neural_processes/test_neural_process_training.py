"""What training minimises, at what rate, and what it must not see; and what is predicted."""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from datamodules import DriftingFunctions, FunctionSequences
from lightning_modules import SNP
from lightning_modules.neural_processes import NeuralProcess
from tests.lightning_modules.neural_processes.neural_process_parameters import (
    draw_noise,
    process_of,
    sequences_of,
)
from tests.lightning_modules.neural_processes.neural_process_reference import Read, run
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES, draw

Make = Callable[..., NeuralProcess]
#: Steps with 1 to 6 targets, so that sums and means over them differ.
RAGGED = draw([[0, 3, 0, 5], [2, 0, 1, 4]], [[4, 1, 6, 2], [3, 5, 2, 6]])


# The bound and the loss -------------------------------------------------------------------------


def test_the_bound_pays_for_what_latents_and_memory_drew(make: Make) -> None:
    model = make()
    torch.manual_seed(0)
    inferred = model(RAGGED)
    q, p = (
        Normal(mean, log_sigma.exp())
        for mean, log_sigma in (inferred.latents.posterior, inferred.latents.prior)
    )
    of_latents = kl_divergence(q, p).sum(-1)
    memory_kl = model.bound(RAGGED, inferred).kl - of_latents
    torch.manual_seed(0)
    expected = model.recall(RAGGED, told=True).kl
    torch.testing.assert_close(memory_kl, expected, atol=1e-12, rtol=0)
    if model.memory.stochastic:
        assert (expected > 0).all() and expected.sum() > 1e-4
    else:
        assert not expected.any()


def reads(name: str, model: NeuralProcess, seed: int) -> list[list[Read]]:
    """What the reference infers from each step of RAGGED."""
    torch.manual_seed(seed)
    key_noise, noise = draw_noise(model, RAGGED)
    process = process_of(name, model, SIZES["sequence_length"])
    return [
        run(process, steps, noise[b], True, None if key_noise is None else key_noise[b])
        for b, steps in enumerate(sequences_of(RAGGED))
    ]


def elbo(sequences: list[list[Read]]) -> float:
    """The negative bound per sequence, averaged."""
    total = sum(step.log_likelihood - step.kl for steps in sequences for step in steps)
    return -total / len(sequences)


def paper(sequences: list[list[Read]]) -> float:
    """KL minus the mean log-likelihood of a step's targets, averaged over all steps."""
    values = [
        step.kl - step.log_likelihood / len(step.targets) for steps in sequences for step in steps
    ]
    return sum(values) / len(values)


@pytest.mark.parametrize("objective", [elbo, paper], ids=lambda objective: objective.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_training_minimises_the_objective(
    name: str, objective: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = MODELS[name](**SIZES, hidden_size=8, objective=objective.__name__).double()
    logged: dict[str, float] = {}
    monkeypatch.setattr(model, "log", lambda key, value, **_: logged.update({key: value.item()}))
    torch.manual_seed(1)
    loss = model.training_step(RAGGED, 0)
    expected = reads(name, model, 1)
    assert loss.item() == pytest.approx(objective(expected), rel=1e-9)
    assert loss.requires_grad
    steps = [step for sequence in expected for step in sequence]
    mean_kl = sum(step.kl for step in steps) / len(steps)
    assert logged["train/bound"] == pytest.approx(-elbo(expected), rel=1e-9)
    assert logged["train/kl"] == pytest.approx(mean_kl, rel=1e-9)
    assert logged["train/nll_posterior"] == pytest.approx(paper(expected) - mean_kl, rel=1e-9)


def test_the_objective_is_the_bound_unless_told_otherwise() -> None:
    assert SNP(**SIZES).objective == "elbo"
    with pytest.raises(ValueError, match="objective"):
        SNP(**SIZES, objective="bound")


# The learning rate ------------------------------------------------------------------------------


class Rates(L.Callback):
    """The learning rate of every step of the optimiser."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.seen.append(optimizer.param_groups[0]["lr"])


def rates(max_steps: int, **settings: Any) -> list[float]:
    """Of a training in which an epoch has 4 batches."""
    data = DriftingFunctions(
        sequence_length=4,
        context_steps=3,
        train_points=12,
        train_size=8,
        batch_size=2,
        val_size=1,
        test_size=1,
        test_points=12,
    )
    model, callback = SNP(**SIZES, hidden_size=4, learning_rate=0.01, **settings), Rates()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=-1 if max_steps > 0 else 2,
        max_steps=max_steps,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data)
    return callback.seen


@pytest.mark.filterwarnings("ignore")
def test_the_learning_rate_rises_and_falls_to_zero_until_the_last_step() -> None:
    found = rates(8, warm_up=3)
    assert len(found) == 8
    assert found[0] < found[1] < found[2]
    assert all(later < earlier for earlier, later in zip(found[2:], found[3:], strict=False))
    assert found[-1] < 0.05 * 0.01
    rise = [1 / 3, 2 / 3, *[1.0] * 6]
    cosine = [0.01 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert found == pytest.approx([r * c for r, c in zip(rise, cosine, strict=True)])


@pytest.mark.filterwarnings("ignore")
def test_without_a_decay_the_learning_rate_stays() -> None:
    found = rates(6, warm_up=2, decay=False)
    assert found[:6] == pytest.approx([0.005, *[0.01] * 5])


@pytest.mark.filterwarnings("ignore")
def test_epochs_end_a_training_too() -> None:
    found = rates(-1, warm_up=0, decay=True)
    last = 0.005 * (1 + math.cos(math.pi * (len(found) - 1) / len(found)))
    assert found[0] == pytest.approx(0.01) and found[-1] == pytest.approx(last)


# Who knows what ---------------------------------------------------------------------------------


def test_a_posterior_knows_nothing_of_later_steps(make: Make) -> None:
    """Given the noise, latents and reconstructions of steps 0 and 1 are those of other futures."""
    model, noise = make(), torch.randn(2, 4, 8, dtype=torch.float64)
    other = draw([[0, 3, 4, 0], [2, 0, 0, 5]], [[4, 1, 2, 6], [3, 5, 4, 3]], seed=1)
    mixed = FunctionSequences(
        *(torch.cat([a[:, :2], b[:, 2:]], 1) for a, b in zip(RAGGED, other, strict=True))
    )
    seen = []
    for batch in (RAGGED, mixed):
        torch.manual_seed(2)
        inferred = model(batch, noise)
        bound = model.bound(batch, inferred)
        seen.append((*inferred.latents.posterior, inferred.latents.sample, *bound))
    for one, another in zip(*seen, strict=True):
        torch.testing.assert_close(one[:, :2], another[:, :2])
        assert not torch.allclose(one[:, 2:], another[:, 2:])


def test_a_posterior_knows_the_targets_of_its_own_step(make: Make) -> None:
    model, noise = make(), torch.zeros(2, 4, 8, dtype=torch.float64)
    changed = RAGGED._replace(target_y=RAGGED.target_y.clone())
    changed.target_y[:, 1] += 1
    means = []
    for batch in (RAGGED, changed):
        torch.manual_seed(2)
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


# Predictions ------------------------------------------------------------------------------------


def test_predictions_are_the_moments_of_the_mixture(make: Make) -> None:
    model = make(test_samples=7)
    torch.manual_seed(3)
    found = model.predict_step(RAGGED, 0)
    torch.manual_seed(3)
    means, sigmas = (part.detach().numpy() for part in model.predict(RAGGED, 7))
    assert len(means) == 7
    # Of the parts' first and second moments.
    mean = sum(means) / 7
    variance = sum(m**2 + s**2 for m, s in zip(means, sigmas, strict=True)) / 7 - mean**2
    assert set(found) == {"mean", "sigma"}
    assert np.abs(found["mean"].detach().numpy() - mean).max() < 1e-9
    assert np.abs(found["sigma"].detach().numpy() - np.sqrt(variance)).max() < 1e-9


def test_predictions_are_not_told_the_targets(make: Make) -> None:
    model, seen = make(test_samples=3), []
    for batch in (RAGGED, RAGGED._replace(target_y=RAGGED.target_y + 1)):
        torch.manual_seed(3)
        seen.append(model.predict_step(batch, 0))
    assert all(torch.equal(seen[0][name], seen[1][name]) for name in ("mean", "sigma"))
