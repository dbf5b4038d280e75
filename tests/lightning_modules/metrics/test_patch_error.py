"""Error of rendered patches: sums over values, means over targets."""

import pytest
import torch

from datamodules import FunctionSequences
from lightning_modules.metrics.patch_error import patch_measurements


def test_it_is_half_the_squared_error_of_a_patch_on_average_over_targets() -> None:
    y = torch.zeros(1, 2, 3, 4)
    real = torch.tensor([[[1, 1, 1], [1, 1, 0]]]).bool()
    seen = torch.tensor([[[1, 0, 0], [0, 0, 0]]]).bool()
    x = torch.zeros(1, 2, 3, 2)
    batch = FunctionSequences(x, y, seen, x, y, real, seen, x[:, :, 0], torch.tensor([0]))
    rendered = torch.full((1, 2, 3, 4), 0.5)
    rendered[0, 0, 0] = 1.0
    rendered[0, 1, 2] = torch.nan  # padding
    found = patch_measurements(rendered, batch, {"guess": torch.full_like(y, -1.0)})
    # Patches of four values that are off by 1 (2.0) or 0.5 (0.5).
    assert found["patch_error"].values[0].tolist() == pytest.approx([1.0, 0.5])
    assert found["patch_error_seen"].values[0, 0].item() == pytest.approx(2.0)
    assert found["patch_error_seen"].where[0].tolist() == [True, False]
    assert found["patch_error_unseen"].values[0].tolist() == pytest.approx([0.5, 0.5])
    assert found["patch_error_guess"].values[0].tolist() == pytest.approx([2.0, 2.0])
