"""Recall metrics against loops over sequences and steps."""

import math

import pytest
import torch

from datamodules import FrameSequences
from datamodules.frames.script import recalled_from as latest_equal
from lightning_modules.metrics import Measurement, StepMeans, Summary
from lightning_modules.metrics.recall import bound_measurements, summarise
from lightning_modules.objectives import Bound
from lightning_modules.temporal_vaes.measures import FAMILY

T = 25


Batch = tuple[Bound, torch.Tensor]


@pytest.fixture
def batch() -> Batch:
    """Bounds, and for each step the latest earlier one with the same content, -1 where none."""
    generator = torch.Generator().manual_seed(0)
    bound = Bound(
        -100 * torch.rand(6, T, generator=generator), torch.rand(6, T, generator=generator)
    )
    place = torch.randint(12, (6, T), generator=generator)
    return bound, place


def sequences(place: torch.Tensor) -> FrameSequences:
    recalled_from = torch.from_numpy(latest_equal(place.numpy()))
    steps = place.shape[1]
    nothing = torch.zeros(len(place), steps, 0)
    return FrameSequences(nothing, nothing, recalled_from, place, place, torch.arange(len(place)))


def summary_of(*batches: Batch) -> Summary:
    means = StepMeans(FAMILY.gathered, batches[0][1].shape[1])
    for bound, place in batches:
        means.update(bound_measurements(bound, sequences(place)))
    return summarise(means.sums())


def brute_force(bound: Bound, place: torch.Tensor) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {"new": [], "recalled": [], "recalled_old": [], "late": []}
    for b, places in enumerate(place.tolist()):
        for t in range(T):
            kl = bound.kl[b, t].item()
            source = max((s for s in range(t) if places[s] == places[t]), default=-1)
            groups["new" if source < 0 else "recalled"].append(kl)
            if source >= 0 and t - source >= 5:
                groups["recalled_old"].append(kl)
                if t + 1 >= 20:
                    groups["late"].append(kl)
    return groups


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_groups_equal_a_loop_over_sequences_and_steps(batch) -> None:
    scalars = summary_of(batch).scalars
    groups = brute_force(*batch)
    for group in ("new", "recalled", "recalled_old"):
        assert scalars[f"kl_{group}"].item() == pytest.approx(mean(groups[group]), rel=1e-6)
    late, new = mean(groups["late"]), mean(groups["new"])
    assert scalars["kl_recalled_late"].item() == pytest.approx(late, rel=1e-6)
    assert scalars["recall_ratio_late"].item() == pytest.approx(late / new, rel=1e-6)
    old = mean(groups["recalled_old"])
    assert scalars["recall_ratio"].item() == pytest.approx(old / new, rel=1e-6)


def test_bound_and_curves_average_over_sequences(batch) -> None:
    bound, place = batch
    scalars, curves, count = summary_of(batch)
    assert count == 6
    assert scalars["bound"].item() == pytest.approx(bound.total.mean().item(), rel=1e-6)
    assert scalars["kl_last_step"].item() == pytest.approx(bound.kl[:, -1].mean().item(), rel=1e-6)
    torch.testing.assert_close(curves["kl"].float(), bound.kl.mean(0))
    torch.testing.assert_close(curves["reconstruction"].float(), bound.reconstruction.mean(0))
    share = (sequences(place).recalled_from >= 0).float().mean(0)
    torch.testing.assert_close(curves["recalled_share"], share)


def test_parts_of_a_batch_add_up_to_the_whole(batch) -> None:
    bound, place = batch
    parts = [
        (Bound(bound.reconstruction[part], bound.kl[part]), place[part])
        for part in (slice(0, 1), slice(1, 6))
    ]
    whole, together = summary_of(batch).scalars, summary_of(*parts).scalars
    for name, value in whole.items():
        assert together[name].item() == pytest.approx(value.item(), rel=1e-5), name


def test_a_group_that_never_occurs_is_nan_and_spoils_nothing_else() -> None:
    new = Bound(-torch.ones(2, 3), torch.ones(2, 3)), torch.arange(3).expand(2, 3)
    scalars, curves, _ = summary_of(new)
    assert math.isnan(scalars["recall_ratio"].item())
    assert curves["kl_recalled"].isnan().all()
    assert scalars["kl"].item() == 1.0
    assert scalars["bound"].item() == -6.0


@pytest.mark.parametrize(("new", "ratio"), [(0.09, math.nan), (0.11, 0.5), (14.0, 0.5)])
def test_latents_that_are_not_used_have_no_ratio(new: float, ratio: float) -> None:
    """A posterior that had collapsed, with 0.001 nats, had a ratio of 0.04 and won a search."""
    place = torch.tensor([[*range(15), *range(10)]])
    kl = torch.tensor([[new] * 15 + [new / 2] * 10])
    scalars = summary_of((Bound(-torch.ones(1, 25), kl), place)).scalars
    for name in ("recall_ratio", "recall_ratio_late"):
        assert scalars[name].item() == pytest.approx(ratio, nan_ok=True), name
    assert scalars["kl_new"].item() == pytest.approx(new)


def test_values_where_nothing_is_defined_do_not_count_even_if_nan() -> None:
    means = StepMeans(["a"], 2)
    values = torch.tensor([[1.0, float("nan")], [3.0, 5.0]])
    means.update({"a": Measurement(values, torch.tensor([[True, False], [True, True]]))})
    sums = means.sums()["a"]
    assert sums.curve.tolist() == [2.0, 5.0]
    assert sums.mean.item() == 3.0
    assert sums.since(2).mean.item() == 5.0


def test_a_model_in_half_precision_is_counted_exactly() -> None:
    """256 + 1 is 256 in bfloat16."""
    means = StepMeans(["a"], 1).to(torch.bfloat16)
    for value in range(600):
        values = torch.tensor([[value % 2]], dtype=torch.bfloat16)
        means.update({"a": Measurement(values, torch.ones(1, 1, dtype=torch.bool))})
    sums = means.sums()["a"]
    assert (sums.sequences.item(), sums.mean.item()) == (600.0, 0.5)
    means.reset()
    assert means.totals.dtype == torch.float32 and not means.totals.any()


def test_what_is_nowhere_defined_is_left_out() -> None:
    means = StepMeans([*FAMILY.gathered, "reads", "class"], 3)
    here, nowhere = torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)
    values = torch.full((2, 3), 0.25)
    means.update({"reads": Measurement(values, here), "class": Measurement(values, nowhere)})
    scalars, curves, _ = summarise(means.sums())
    assert scalars["reads"].item() == 0.25 and curves["reads"].tolist() == [0.25] * 3
    assert "class" not in scalars and "class" not in curves
