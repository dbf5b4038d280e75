"""Overlap of pictures, pixel by pixel."""

import pytest
import torch

from datamodules import MovingDigits
from lightning_modules.metrics import Measurement, StepMeans
from lightning_modules.metrics.overlap import overlap_measurements
from lightning_modules.metrics.target_nll import summarise_targets
from lightning_modules.neural_processes.measures import FAMILY


def test_overlap_is_counted_over_all_pixels() -> None:
    data = MovingDigits(source="mnist5k", val_size=3, sequence_length=4, context_steps=2)
    data.setup()
    batch = data.dataset("val").__getitems__(range(3))
    torch.manual_seed(0)
    mean = batch.target_y + 0.8 * torch.randn_like(batch.target_y)
    one_sample = torch.where(torch.rand_like(mean) < 0.5, -1.0, batch.target_y)
    found = overlap_measurements(mean, one_sample, batch)
    for b in range(3):
        for t in range(4):
            true = {i for i, y in enumerate(batch.target_y[b, t, :, 0]) if y < 0}
            ours = {i for i, y in enumerate(mean[b, t, :, 0]) if y < 0}
            expected = len(true & ours) / len(true | ours)
            assert found["overlap"].values[b, t].item() == pytest.approx(expected)
    without = found["overlap_without_context"].where
    assert torch.equal(without, ~batch.context_mask.any(2)) and without.sum() == 6
    assert found["overlap"].where.all()
    alone = found["overlap_without_context_one_sample"]
    assert torch.equal(alone.where, without)
    true, ours = (values[..., 0] < 0 for values in (batch.target_y, one_sample))
    # All ink is there, and half of the paper is taken for ink.
    torch.testing.assert_close(alone.values, true.sum(2) / ours.sum(2))
    perfect = overlap_measurements(batch.target_y, batch.target_y, batch)["overlap"].values
    assert perfect.eq(1).all()


@pytest.mark.parametrize(("empty", "late"), [([1, 3, 4], (0.3 + 0.4) / 2), ([0, 1], None)])
def test_late_overlap_is_of_the_second_half_without_a_context(empty, late) -> None:
    means = StepMeans(FAMILY.gathered, 5)
    every = torch.ones(1, 5, dtype=torch.bool)
    where = torch.zeros_like(every)
    where[0, empty] = True
    overlap = torch.arange(5) / 10
    measured = {
        name: Measurement(torch.zeros(1, 5), every)
        for name in FAMILY.gathered
        if not name.startswith("overlap")
    }
    measured["overlap_without_context"] = Measurement(overlap.unsqueeze(0), where)
    measured["overlap_without_context_one_sample"] = Measurement(2 * overlap.unsqueeze(0), where)
    means.update(measured)
    scalars = summarise_targets(means.sums(), {}).scalars
    for name, times in (("overlap_late", 1), ("overlap_late_one_sample", 2)):
        found = scalars.get(name)
        assert found is None if late is None else found.item() == pytest.approx(times * late)
