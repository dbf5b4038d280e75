"""Every model of the family on sets of every size: properties, bound, loss and predictions."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from datamodules import FunctionSequences
from lightning_modules import ANP, ASNP, NP, SNP
from lightning_modules.neural_processes import NeuralProcess
from memory_cores import CORES, DNC, MemoryCore
from memory_cores.kernels import building
from tests.lightning_modules.neural_processes.neural_process_parameters import (
    noise_of_keys,
    process_of,
    sequences_of,
)
from tests.lightning_modules.neural_processes.neural_process_reference import Read, run
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES, UNEVEN, draw

Make = Callable[..., NeuralProcess]
RAGGED = draw([[3, 0, 5, 1], [0, 2, 0, 4]], [[4, 2, 6, 1], [3, 5, 2, 6]])


def predicted(model: NeuralProcess, batch: FunctionSequences, samples: int = 3) -> torch.Tensor:
    """Means and sigmas with fixed noise, [2, K, B, T, M, Dy]."""
    torch.manual_seed(1)
    return torch.stack(model.predict(batch, samples))


def loss(model: NeuralProcess, batch: FunctionSequences) -> torch.Tensor:
    torch.manual_seed(2)
    return -model.bound(batch, model(batch)).total


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("NP", 199_554), ("ANP", 281_986), ("SNP", 462_338), ("ASNP-RMR", 712_500)],
)
def test_has_as_many_parameters_as_the_authors(name: str, parameters: int) -> None:
    """Theirs has 715,725 with RMR, of which 3,225 have no gradient."""
    sizes = {"sequence_length": 20, "test_length": 20, "x_size": 1, "x_range": 4.0, "y_size": 1}
    settings = {} if name != "ASNP-RMR" else {"pool_memory": True}
    build = ASNP if name == "ASNP-RMR" else MODELS[name]
    model = build(**sizes, hidden_size=128, **settings)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_asnp_w_has_as_many_parameters_as_the_authors() -> None:
    model = MODELS["ASNP-W"](
        sequence_length=20, test_length=20, x_size=1, x_range=4.0, y_size=1, hidden_size=128
    )
    assert sum(p.numel() for p in model.parameters()) == 545_154


@pytest.mark.operators
@pytest.mark.parametrize("memory", [None, partial(DNC, slots=3, word_size=4)], ids=["SNP", "DNC"])
def test_steps_by_operators_give_the_same_bound_and_gradients(memory: Any) -> None:
    torch.manual_seed(0)
    build = SNP if memory is None else partial(ASNP, memory=memory)
    model = build(**SIZES, hidden_size=8).double()
    found = []
    for way in (nullcontext, building.left_out):
        with way():
            value = loss(model, RAGGED).sum()
            weights = [p for p in model.parameters() if p.requires_grad]
            found.append((value, *torch.autograd.grad(value, weights, allow_unused=True)))
    for by_operators, in_python in zip(*found, strict=True):
        torch.testing.assert_close(by_operators, in_python, rtol=1e-9, atol=1e-9)


def test_parts_hold_every_parameter_once(make: Make) -> None:
    model = make()
    of_parts = [p for modules in model.parts().values() for m in modules for p in m.parameters()]
    assert len(of_parts) == len({id(p) for p in of_parts})
    assert {id(p) for p in of_parts} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize(
    ("contexts", "targets"),
    [
        ([[0, 0, 0, 0]], [[1, 1, 1, 1]]),
        ([[0, 3, 1, 2]], [[1, 3, 1, 2]]),
        ([[500, 0, 1, 0]], [[1, 1, 1, 1]]),
        ([[0, 0, 0, 500]], [[1, 501, 1, 500]]),
    ],
    ids=["no context", "none at first", "500 points", "500 points at last"],
)
def test_sets_of_any_size(make: Make, contexts: list, targets: list) -> None:
    model, batch = make(), draw(contexts, targets)
    value = loss(model, batch).sum()
    value.backward()
    assert value.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert predicted(model, batch).isfinite().all()


def test_gradients_reach_every_parameter(make: Make) -> None:
    model = make()
    loss(model, RAGGED).sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_gradients_reach_every_parameter_beside_every_core(core: type[MemoryCore]) -> None:
    """Otherwise training on several devices would end in its second step."""
    torch.manual_seed(0)
    model = ASNP(**SIZES, memory=core, hidden_size=8).double()
    loss(model, RAGGED).sum().backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_padding_never_matters(make: Make) -> None:
    model = make()
    holes = {
        name: value.masked_fill(~mask.unsqueeze(-1), float("nan"))
        for name, value, mask in (
            ("context_x", RAGGED.context_x, RAGGED.context_mask),
            ("context_y", RAGGED.context_y, RAGGED.context_mask),
        )
    }
    dirty = RAGGED._replace(**holes)
    real = RAGGED.target_mask
    torch.testing.assert_close(
        predicted(model, dirty)[..., real, :], predicted(model, RAGGED)[..., real, :]
    )
    torch.testing.assert_close(loss(model, dirty), loss(model, RAGGED))


def test_order_within_a_set_does_not_matter(make: Make) -> None:
    model, batch = make(), draw([[4, 0, 4, 4]], [[4, 4, 4, 4]])
    order = torch.tensor([2, 0, 3, 1])
    shuffled = batch._replace(
        **{
            name: getattr(batch, name)[:, :, order]
            for name in ("context_x", "context_y", "context_mask")
        }
    )
    torch.testing.assert_close(predicted(model, shuffled), predicted(model, batch))
    targets = {
        name: getattr(batch, name)[:, :, order]
        for name in ("target_x", "target_y", "target_mask", "target_seen")
    }
    torch.testing.assert_close(loss(model, batch._replace(**targets)), loss(model, batch))


def test_sequences_do_not_see_each_other(make: Make) -> None:
    model = make()
    noise = torch.randn(2, 4, model.noise_size, dtype=torch.float64)
    both = model.bound(RAGGED, model(RAGGED, noise)).total
    for row in range(2):
        alone = FunctionSequences(*(field[row : row + 1] for field in RAGGED))
        own = model.bound(alone, model(alone, noise[row : row + 1])).total
        torch.testing.assert_close(own[0], both[row])


def test_later_contexts_tell_nothing_of_earlier_steps(make: Make) -> None:
    model = make()
    later = RAGGED._replace(context_y=RAGGED.context_y.clone(), target_y=RAGGED.target_y + 1)
    later.context_y[:, 2:] += 1.0
    before, after = predicted(model, RAGGED), predicted(model, later)
    torch.testing.assert_close(before[:, :, :, :2], after[:, :, :, :2])
    assert not torch.allclose(before[:, :, :, 2:], after[:, :, :, 2:])


def test_a_context_is_remembered(make: Make) -> None:
    """Points of step 0 change predictions in step 3, which has no context."""
    model, batch = make(), draw([[4, 0, 0, 0]], [[1, 1, 1, 5]])
    other = batch._replace(context_y=batch.context_y + 3)
    difference = (predicted(model, batch) - predicted(model, other))[:, :, :, 3]
    assert difference.abs().max() > 1e-3


def test_prior_is_posterior_where_targets_are_the_context(make: Make) -> None:
    model = make()
    batch = draw([[3, 1, 2, 4]], [[3, 1, 2, 4]])
    kl = model.bound(batch, model(batch)).kl
    torch.testing.assert_close(kl, torch.zeros_like(kl), atol=1e-12, rtol=0)
    with_unseen = draw([[3, 1, 2, 4]], [[4, 2, 3, 5]])
    assert (model.bound(with_unseen, model(with_unseen)).kl > 0).all()


def test_sequences_may_be_longer_than_in_training(make: Make) -> None:
    batch = draw([[2, 0, 1, 0, 0, 3, 0]], [[2] * 7])
    assert predicted(make(test_length=7), batch).shape == (2, 3, 1, 7, 2, 1)


def test_samples_are_drawn_from_one_prior(make: Make) -> None:
    """K samples at once equal K predictions with the same noise."""
    model = make()
    noise = torch.randn(3, 2, 4, model.noise_size, dtype=torch.float64)
    together = model.predict(RAGGED, 3, noise).mean
    alone = torch.cat([model.predict(RAGGED, 1, part).mean for part in noise.split(1)])
    torch.testing.assert_close(together, alone)
    assert not torch.allclose(together[0], together[1])


@pytest.mark.parametrize("core", CORES)
def test_any_core_serves_as_memory(core: type[MemoryCore]) -> None:
    torch.manual_seed(0)
    model = ASNP(
        sequence_length=4,
        test_length=4,
        x_size=1,
        x_range=4.0,
        y_size=1,
        memory=core,
        hidden_size=8,
        pool_memory=True,
    ).double()
    loss(model, RAGGED).sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    other = RAGGED._replace(context_y=RAGGED.context_y + 3)
    points = [model.recall(batch, with_targets=False).points for batch in (RAGGED, other)]
    # With a context of its own every step reads that, too.
    assert not torch.allclose(*(found[0, 3] for found in points))
    without_context = (found[1, 2] for found in points)
    assert torch.allclose(*without_context) != core.holds_items


def test_computed_padding_changes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU computes padding."""
    found = []
    for packs in (True, False):
        monkeypatch.setattr("memory_cores.parts.real_points.packs", lambda mask, packs=packs: packs)
        model = make()
        value = loss(model, RAGGED)
        value.sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        found.append([value.detach(), *gradients])
    for packed, padded in zip(*found, strict=True):
        torch.testing.assert_close(packed, padded)


def test_many_targets_are_decoded_in_parts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    whole = predicted(model, RAGGED)
    # 6 targets a step: 2 steps at a time.
    monkeypatch.setattr("lightning_modules.neural_processes.networks.CHUNK", 12)
    torch.testing.assert_close(predicted(model, RAGGED), whole)


def test_the_bound_pays_for_what_latents_and_memory_drew(make: Make) -> None:
    model = make()
    noise = torch.randn(2, 4, model.noise_size, dtype=torch.float64)
    inferred = model(UNEVEN, noise)
    q, p = (
        Normal(mean, log_sigma.exp())
        for mean, log_sigma in (inferred.latents.posterior, inferred.latents.prior)
    )
    of_latents = kl_divergence(q, p).sum(-1)
    memory_kl = model.bound(UNEVEN, inferred).kl - of_latents
    expected = model.recall(UNEVEN, with_targets=True, noise=noise).kl
    torch.testing.assert_close(memory_kl, expected, atol=1e-12, rtol=0)
    if model.memory.noise_size:
        assert (expected > 0).all() and expected.sum() > 1e-4
    else:
        assert not expected.any()


def reads(name: str, model: NeuralProcess, noise: np.ndarray) -> list[list[Read]]:
    """Run the reference on each sequence of UNEVEN with noise [B, T, D]."""
    key_noise, noise = noise_of_keys(model, noise), noise[..., : model.units]
    process = process_of(name, model, SIZES["sequence_length"])
    return [
        run(process, steps, noise[b], True, None if key_noise is None else key_noise[b])
        for b, steps in enumerate(sequences_of(UNEVEN))
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
    logged: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(model, "log_dict", lambda values, **_: logged.update(values))
    monkeypatch.setattr(model, "log", lambda key, value: None)
    loss = model.training_step(UNEVEN, 0)
    expected = reads(name, model, model.noise(UNEVEN).numpy())
    assert loss.item() == pytest.approx(objective(expected), rel=1e-9)
    assert loss.requires_grad
    steps = [step for sequence in expected for step in sequence]
    mean_kl = sum(step.kl for step in steps) / len(steps)
    assert logged["train/bound"].item() == pytest.approx(-elbo(expected), rel=1e-9)
    assert logged["train/kl"].item() == pytest.approx(mean_kl, rel=1e-9)
    nll = logged["train/nll_posterior"].item()
    assert nll == pytest.approx(paper(expected) - mean_kl, rel=1e-9)


def test_the_objective_is_the_bound_by_default() -> None:
    assert SNP(**SIZES).objective == "elbo"
    with pytest.raises(ValueError, match="objective"):
        SNP(**SIZES, objective="bound")


def test_predictions_are_the_moments_of_the_mixture(make: Make) -> None:
    model = make(test_samples=7)
    found = model.predict_step(UNEVEN, 0)
    noise = model.noise_of_samples(UNEVEN, 7)
    means, sigmas = (part.detach().numpy() for part in model.predict(UNEVEN, 7, noise))
    assert len(means) == 7
    # From the components' first and second moments.
    mean = sum(means) / 7
    variance = sum(m**2 + s**2 for m, s in zip(means, sigmas, strict=True)) / 7 - mean**2
    points = UNEVEN._asdict()
    assert set(found) == {"mean", "sigma"} | {n for n in points if n not in ("task", "episode")}
    assert all(torch.equal(found[name], points[name]) for name in points.keys() & found.keys())
    assert np.abs(found["mean"].detach().numpy() - mean).max() < 1e-9
    assert np.abs(found["sigma"].detach().numpy() - np.sqrt(variance)).max() < 1e-9


def test_predictions_do_not_depend_on_the_targets(make: Make) -> None:
    model, predictions = make(test_samples=3), []
    for batch in (UNEVEN, UNEVEN._replace(target_y=UNEVEN.target_y + 1)):
        torch.manual_seed(3)
        predictions.append(model.predict_step(batch, 0))
    one, other = predictions
    assert all(torch.equal(one[name], other[name]) for name in ("mean", "sigma"))


@pytest.mark.parametrize("kind", [NP, ANP, SNP])
def test_models_that_decide_themselves_are_rebuilt_from_their_hyperparameters(kind: type) -> None:
    sizes = {"sequence_length": 4, "test_length": 4, "x_size": 1, "x_range": 4.0, "y_size": 1}
    model = kind(**sizes, hidden_size=8, pooling="sum")
    again = kind(**model.hparams)
    again.load_state_dict(model.state_dict())
    assert again.pooling == "sum" and again.step_in_x == model.step_in_x
