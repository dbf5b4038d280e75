"""Target-NLL against torch's mixtures and loops over targets."""

import math
from collections.abc import Iterator

import pytest
import torch

from datamodules import FunctionSequences
from lightning_modules.likelihoods import Targets
from lightning_modules.metrics import StepMeans
from lightning_modules.metrics.target_nll import (
    Scores,
    summarise_targets,
    target_measurements,
)
from lightning_modules.neural_processes.measures import FAMILY
from lightning_modules.objectives import Bound

K, B, T, M, D = 7, 3, 2, 4, 2


@pytest.fixture
def batch() -> FunctionSequences:
    torch.manual_seed(0)
    mask = torch.tensor(
        [[[1, 1, 1, 1], [1, 0, 0, 0]], [[1, 1, 0, 0], [1, 1, 1, 0]]] + [[[1, 1, 1, 1]] * 2]
    )
    seen = mask.bool() & torch.tensor([1, 0, 1, 0]).bool()
    context = torch.tensor([[[1], [1]], [[0], [1]], [[1], [0]]]).bool()
    seen = seen & context
    x = torch.randn(B, T, M, 1)
    y = torch.randn(B, T, M, D)
    return FunctionSequences(
        x[:, :, :1],
        y[:, :, :1],
        context,
        x,
        y,
        mask.bool(),
        seen,
        torch.zeros(B, T, 1),
        torch.arange(B),
    )


@pytest.fixture
def targets() -> Targets:
    torch.manual_seed(1)
    return Targets(torch.randn(K, B, T, M, D), torch.rand(K, B, T, M, D) + 0.1)


def one_by_one(targets: Targets) -> Iterator[Targets]:
    return (Targets(*parts) for parts in zip(*targets, strict=True))


def density(targets: Targets, y: torch.Tensor) -> torch.Tensor:
    """Log density of each target under the mixture, by torch.distributions."""
    parts = torch.distributions.Independent(
        torch.distributions.Normal(*(part.movedim(0, -2) for part in targets)), 1
    )
    weights = torch.distributions.Categorical(torch.ones(B, T, M, K))
    return torch.distributions.MixtureSameFamily(weights, parts).log_prob(y)


def test_nll_is_that_of_the_mixture(batch: FunctionSequences, targets: Targets) -> None:
    scores = Scores.of(one_by_one(targets), batch)
    torch.testing.assert_close(scores.nll, -density(targets, batch.target_y))
    first = torch.distributions.Normal(targets.mean[0], targets.sigma[0])
    torch.testing.assert_close(scores.one_sample, -first.log_prob(batch.target_y).sum(-1))
    alone = Scores.of(one_by_one(Targets(*(part[:1] for part in targets))), batch)
    torch.testing.assert_close(alone.nll, alone.one_sample)


def test_mean_and_sigma_are_those_of_the_mixture(targets: Targets) -> None:
    parts = torch.distributions.Normal(*(part.movedim(0, -1) for part in targets))
    weights = torch.distributions.Categorical(torch.ones(B, T, M, D, K))
    mixture = torch.distributions.MixtureSameFamily(weights, parts)
    mean, sigma = targets.mixed()
    torch.testing.assert_close(mean, mixture.mean)
    torch.testing.assert_close(sigma, mixture.stddev)


def test_mse_is_of_the_mean_of_the_mixture(batch: FunctionSequences, targets: Targets) -> None:
    bound = Bound(torch.zeros(B, T), torch.zeros(B, T))
    found = target_measurements(Scores.of(one_by_one(targets), batch), bound, batch)["mse"]
    assert found.where.all()
    for b in range(B):
        for t in range(T):
            squares = [
                (
                    sum(targets.mean[k, b, t, i, d] for k in range(K)) / K
                    - batch.target_y[b, t, i, d]
                )
                ** 2
                for i in range(M)
                for d in range(D)
                if batch.target_mask[b, t, i]
            ]
            assert found.values[b, t].item() == pytest.approx(
                float(sum(squares)) / len(squares), rel=1e-5
            )


def test_squared_z_is_over_the_variance_of_the_mixture(
    batch: FunctionSequences, targets: Targets
) -> None:
    bound = Bound(torch.zeros(B, T), torch.zeros(B, T))
    found = target_measurements(Scores.of(one_by_one(targets), batch), bound, batch)["squared_z"]
    parts = torch.distributions.Normal(*(part.movedim(0, -1) for part in targets))
    weights = torch.distributions.Categorical(torch.ones(B, T, M, D, K))
    mixture = torch.distributions.MixtureSameFamily(weights, parts)
    z = ((batch.target_y - mixture.mean) / mixture.stddev).square().mean(-1)
    for b in range(B):
        for t in range(T):
            expected = z[b, t, batch.target_mask[b, t]].mean().item()
            assert found.values[b, t].item() == pytest.approx(expected, rel=1e-4)


def test_calibration_is_compared_with_the_oracles(
    batch: FunctionSequences, targets: Targets
) -> None:
    means = StepMeans(FAMILY.gathered, T)
    bound = Bound(torch.zeros(B, T), torch.zeros(B, T))
    means.update(target_measurements(Scores.of(one_by_one(targets), batch), bound, batch))
    found = summarise_targets(means.sums(), {"squared_z": torch.tensor([1.0, 0.5])}).scalars
    assert found["gap_squared_z"].item() == pytest.approx(found["squared_z"].item() - 0.75)


def test_joint_nll_is_of_all_targets_of_a_step_together(
    batch: FunctionSequences, targets: Targets
) -> None:
    joint = Scores.of(one_by_one(targets), batch).joint
    each = torch.distributions.Normal(*targets).log_prob(batch.target_y).sum(-1)
    for b in range(B):
        for t in range(T):
            real = batch.target_mask[b, t]
            together = each[:, b, t, real].sum(-1).exp().mean().log()
            assert joint[b, t].item() == pytest.approx(-together.item() / int(real.sum()), rel=1e-4)


def test_groups_are_averaged_step_by_step(batch: FunctionSequences, targets: Targets) -> None:
    scores = Scores.of(one_by_one(targets), batch)
    bound = Bound(torch.randn(B, T), torch.rand(B, T))
    means = StepMeans(FAMILY.gathered, T)
    for rows in (slice(0, 2), slice(2, 3)):  # in two batches
        part = FunctionSequences(*(field[rows] for field in batch))
        means.update(
            target_measurements(
                Scores(*(score[rows] for score in scores)), Bound(*(b[rows] for b in bound)), part
            )
        )
    optimal = {"nll": torch.tensor([-1.0, -0.5]), "nll_seen": torch.tensor([-1.3, -1.2])}
    inferred = {"nll": torch.tensor([0.25, 0.75]), "effective_samples": torch.tensor([9.0, 2.0])}
    summary = summarise_targets(means.sums(), optimal, inferred)
    groups: dict[str, list[list[float]]] = {name: [[], []] for name in FAMILY.gathered}
    for b in range(B):
        for t in range(T):
            chosen = {"nll": batch.target_mask[b, t], "nll_seen": batch.target_seen[b, t]}
            chosen["nll_unseen"] = chosen["nll"] & ~chosen["nll_seen"]
            kind = "with" if batch.context_mask[b, t].any() else "without"
            chosen[f"nll_{kind}_context"] = chosen["nll"]
            for name, which in chosen.items():
                if which.any():
                    groups[name][t].append(scores.nll[b, t, which].mean().item())
    for name in ("nll", "nll_seen", "nll_unseen", "nll_with_context", "nll_without_context"):
        values = [value for step in groups[name] for value in step]
        assert summary.scalars[name].item() == pytest.approx(sum(values) / len(values), rel=1e-5)
        for t in range(T):
            own = groups[name][t]
            expected = sum(own) / len(own) if own else math.nan
            assert summary.curves[name][t].item() == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert summary.scalars["gap_nll"].item() == pytest.approx(
        summary.scalars["nll"].item() + 0.75, rel=1e-5
    )
    assert summary.scalars["gap_inferred_nll"].item() == pytest.approx(
        summary.scalars["nll"].item() - 0.5, rel=1e-5
    )
    assert summary.curves["inferred_effective_samples"].tolist() == [9, 2]
    seen = [len(step) for step in groups["nll_seen"]]
    least = -(1.3 * seen[0] + 1.2 * seen[1]) / sum(seen)
    assert summary.scalars["gap_nll_seen"].item() == pytest.approx(
        summary.scalars["nll_seen"].item() - least, rel=1e-5
    )
    assert "gap_nll_unseen" not in summary.scalars and "gap_squared_z" not in summary.scalars
    share = batch.context_mask.any(2).float().mean(0)
    torch.testing.assert_close(summary.curves["context_share"], share)
    assert summary.sequences == B
    assert summary.scalars["bound"].item() == pytest.approx(
        (bound.reconstruction - bound.kl).sum(1).mean().item(), rel=1e-5
    )
