"""Overlap of pictures, pixel by pixel."""

import pytest
import torch

from datamodules import MovingDigits
from lightning_modules.metrics.overlap import overlap_measurements


def test_overlap_is_counted_over_all_pixels() -> None:
    data = MovingDigits(source="mnist5k", val_size=3, sequence_length=4, context_steps=2)
    data.setup()
    batch = data.dataset("val").__getitems__(range(3))
    torch.manual_seed(0)
    mean = batch.target_y + 0.8 * torch.randn_like(batch.target_y)
    found = overlap_measurements(mean, batch)
    for b in range(3):
        for t in range(4):
            true = {i for i, y in enumerate(batch.target_y[b, t, :, 0]) if y < 0}
            ours = {i for i, y in enumerate(mean[b, t, :, 0]) if y < 0}
            expected = len(true & ours) / len(true | ours)
            assert found["overlap"].values[b, t].item() == pytest.approx(expected)
    without = found["overlap_without_context"].where
    assert torch.equal(without, ~batch.context_mask.any(2)) and without.sum() == 6
    assert found["overlap"].where.all()
    perfect = overlap_measurements(batch.target_y, batch)["overlap"].values
    assert perfect.eq(1).all()
