"""A run announces its data."""

from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from lightning_modules.callbacks.announcement import (
    Announcement,
    data_sentence,
    model_name,
    size_sentence,
)
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.sizing import Budgets
from tests.whole_models.small_models import MODELS

RECORD = {"source": "mnist5k", "sha256": "0123456789abcdef"}


def test_automatic_source_was_named_already():
    assert data_sentence(RECORD, {"source": "auto"}) == "sha256 0123456789ab"
    assert data_sentence(RECORD, {"source": "mnist5k"}) == "source mnist5k, sha256 0123456789ab"
    rooms = {"source": "vizdoom 1.3.2", "test_sha256": 8 * "0123"}
    assert data_sentence(rooms, {}) == "source vizdoom 1.3.2, test_sha256 012301230123"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MODELS["GTMM"], "GTMM with DNC"),
        (MODELS["ASNP-RMR"], "ASNP with RMR"),
        (MODELS["VRNN"], "VRNN"),
        (MODELS["SNP"], "SNP"),
    ],
)
def test_a_memory_core_is_named_where_there_is_a_choice(
    model: Callable[[], SequenceModel], expected: str
):
    assert model_name(model()) == expected


def test_sizes_are_said_with_the_budgets_that_decided_on_them():
    model = nn.Linear(20, 100)
    model.state_size, model.budgets = 1_234, Budgets(None, None)
    assert size_sentence(model) == "2,100 parameters, a state of 1,234 numbers"
    model.budgets = Budgets(2_200, 1_200)
    said = "2,100 parameters (budget 2,200), a state of 1,234 numbers (budget 1,200)"
    assert size_sentence(model) == said
    model.state_size, model.budgets = None, Budgets(2_200, None)
    assert size_sentence(model) == "2,100 parameters (budget 2,200), a state that grows"


@pytest.mark.parametrize("stage", [TrainerFn.FITTING, TrainerFn.TESTING])
def test_a_test_leaves_the_seed_and_the_command_of_the_training(stage: TrainerFn):
    trainer = MagicMock(is_global_zero=False)
    trainer.state.fn, trainer.loggers = stage, [MagicMock()]
    trainer.datamodule = None
    model = nn.Linear(2, 3)
    model.core, model.state_size = nn.Identity(), 7
    Announcement(3).setup(trainer, model, str(stage))
    (facts,) = trainer.loggers[0].log_hyperparams.call_args.args
    named = [facts[name] for name in ("model", "family", "core", "parameters", "state_size")]
    assert named == ["Linear Identity", "Linear", "Identity", 9, 7]
    own = {"seed", "revision", "command"}
    assert own & facts.keys() == (own if stage == TrainerFn.FITTING else set())
