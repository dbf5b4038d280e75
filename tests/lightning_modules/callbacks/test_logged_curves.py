"""Rows that W&B draws a test's curves from."""

import torch

from lightning_modules.callbacks.logged_curves import rows
from lightning_modules.metrics import Summary


def test_each_step_has_a_row_without_what_is_not_known():
    curves = {"kl": torch.tensor([1.0, 2.0, 4.0]), "nll": torch.tensor([float("nan"), 0.5])}
    found = rows(Summary({}, curves, 7))
    assert found == [
        {"curve/t": 1, "curve/kl": 1.0},
        {"curve/t": 2, "curve/kl": 2.0, "curve/nll": 0.5},
        {"curve/t": 3, "curve/kl": 4.0},
    ]
    assert rows(Summary({}, {}, 7)) == []
