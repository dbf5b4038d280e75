"""Rows that W&B draws a test's curves from."""

from unittest.mock import MagicMock

import torch
from lightning.pytorch.loggers import WandbLogger

from lightning_modules.callbacks.logged_curves import LoggedCurves, rows
from lightning_modules.metrics import Summary


def test_each_step_has_a_row_without_what_is_not_known():
    curves = {"kl": torch.tensor([1.0, 2.0, 4.0]), "nll": torch.tensor([float("nan"), 0.5])}
    found = rows("curve", Summary({}, curves, 7))
    assert found == [
        {"curve/t": 1, "curve/kl": 1.0},
        {"curve/t": 2, "curve/kl": 2.0, "curve/nll": 0.5},
        {"curve/t": 3, "curve/kl": 4.0},
    ]
    assert rows("curve", Summary({}, {}, 7)) == []


def test_a_fit_leaves_its_last_validation_s_curves_and_a_test_its_own() -> None:
    logger = MagicMock(spec=WandbLogger)
    trainer = MagicMock(loggers=[logger], is_global_zero=True)
    model = MagicMock(
        validation_summary=Summary({}, {"kl": torch.tensor([3.0])}, 1),
        test_summary=Summary({}, {"kl": torch.tensor([2.0])}, 1),
    )
    LoggedCurves().on_train_end(trainer, model)
    LoggedCurves().on_test_end(trainer, model)
    assert [call.args[0] for call in logger.experiment.log.call_args_list] == [
        {"val_curve/t": 1, "val_curve/kl": 3.0},
        {"curve/t": 1, "curve/kl": 2.0},
    ]
    defined = [call.kwargs for call in logger.experiment.define_metric.call_args_list]
    assert defined == [{}, {"step_metric": "val_curve/t"}, {}, {"step_metric": "curve/t"}]
