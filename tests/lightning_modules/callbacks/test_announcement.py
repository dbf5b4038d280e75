"""A run announces its data."""

from unittest.mock import MagicMock

import pytest
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from lightning_modules.callbacks.announcement import Announcement, data_sentence

RECORD = {"source": "mnist5k", "sha256": "0123456789abcdef"}


def test_automatic_source_was_named_already():
    assert data_sentence(RECORD, {"source": "auto"}) == "sha256 0123456789ab"
    assert data_sentence(RECORD, {"source": "mnist5k"}) == "source mnist5k, sha256 0123456789ab"


@pytest.mark.parametrize("stage", [TrainerFn.FITTING, TrainerFn.TESTING])
def test_a_test_leaves_the_seed_and_the_command_of_the_training(stage: TrainerFn):
    trainer = MagicMock(is_global_zero=False)
    trainer.state.fn, trainer.loggers = stage, [MagicMock()]
    trainer.datamodule = None
    model = nn.Linear(2, 3)
    model.core = nn.Identity()
    Announcement(3).setup(trainer, model, str(stage))
    (facts,) = trainer.loggers[0].log_hyperparams.call_args.args
    named = [facts[name] for name in ("model", "family", "core", "parameters")]
    assert named == ["Linear Identity", "Linear", "Identity", 9]
    own = {"seed", "revision", "command"}
    assert own & facts.keys() == (own if stage == TrainerFn.FITTING else set())
