"""Recall metrics against loops over sequences and steps."""

import math

import pytest
import torch

from lightning_modules.objectives import Bound
from lightning_modules.recall_metrics import RecallMetrics

T = 25


@pytest.fixture
def batch() -> tuple[Bound, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    bound = Bound(
        -100 * torch.rand(6, T, generator=generator), torch.rand(6, T, generator=generator)
    )
    steps = torch.arange(T)
    recalled_from = (torch.rand(6, T, generator=generator) * (steps + 1)).long() - 1
    return bound, recalled_from.clamp(max=steps - 1)


def brute_force(bound: Bound, recalled_from: torch.Tensor) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {"new": [], "recalled": [], "recalled_old": [], "late": []}
    for b in range(recalled_from.shape[0]):
        for t in range(T):
            kl, source = bound.kl[b, t].item(), recalled_from[b, t].item()
            groups["new" if source < 0 else "recalled"].append(kl)
            if source >= 0 and t - source >= 5:
                groups["recalled_old"].append(kl)
                if t + 1 >= 20:
                    groups["late"].append(kl)
    return groups


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_groups_equal_a_loop_over_sequences_and_steps(batch) -> None:
    metrics = RecallMetrics(T)
    metrics.update(*batch)
    scalars = metrics.compute().scalars
    groups = brute_force(*batch)
    for group in ("new", "recalled", "recalled_old"):
        assert scalars[f"kl_{group}"].item() == pytest.approx(mean(groups[group]), rel=1e-6)
    late, new = mean(groups["late"]), mean(groups["new"])
    assert scalars["kl_recalled_late"].item() == pytest.approx(late, rel=1e-6)
    assert scalars["recall_ratio_late"].item() == pytest.approx(late / new, rel=1e-6)


def test_bound_and_curves_average_over_sequences(batch) -> None:
    bound, recalled_from = batch
    metrics = RecallMetrics(T)
    metrics.update(bound, recalled_from)
    scalars, curves = metrics.compute()
    assert scalars["bound"].item() == pytest.approx(bound.total.mean().item(), rel=1e-6)
    assert scalars["kl_last_step"].item() == pytest.approx(bound.kl[:, -1].mean().item(), rel=1e-6)
    torch.testing.assert_close(curves["kl"].float(), bound.kl.mean(0))
    torch.testing.assert_close(curves["reconstruction"].float(), bound.reconstruction.mean(0))
    share = (recalled_from >= 0).float().mean(0)
    torch.testing.assert_close(curves["recalled_share"], share)


def test_parts_of_a_batch_add_up_to_the_whole(batch) -> None:
    bound, recalled_from = batch
    whole, parts = RecallMetrics(T), RecallMetrics(T)
    whole.update(bound, recalled_from)
    for part in (slice(0, 1), slice(1, 6)):
        parts.update(Bound(bound.reconstruction[part], bound.kl[part]), recalled_from[part])
    for name, value in whole.compute().scalars.items():
        assert parts.compute().scalars[name].item() == pytest.approx(value.item(), rel=1e-5), name


def test_a_group_that_never_occurs_is_nan_and_spoils_nothing_else() -> None:
    metrics = RecallMetrics(3)
    metrics.update(Bound(-torch.ones(2, 3), torch.ones(2, 3)), torch.full((2, 3), -1))
    scalars, curves = metrics.compute()
    assert math.isnan(scalars["recall_ratio"].item())
    assert curves["kl_recalled"].isnan().all()
    assert scalars["kl"].item() == 1.0
    assert scalars["bound"].item() == -6.0
