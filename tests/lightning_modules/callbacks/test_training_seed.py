"""The seed of training outlives commands with other seeds."""

from unittest.mock import MagicMock

from lightning_modules.callbacks.training_seed import TrainingSeed


def test_seed_is_that_of_the_first_training():
    first, resumed = TrainingSeed(3), TrainingSeed(4)
    first.on_train_start(MagicMock(ckpt_path=None), MagicMock())
    resumed.load_state_dict(first.state_dict())
    resumed.on_train_start(MagicMock(ckpt_path="last.ckpt"), MagicMock())
    assert (resumed.seed, resumed.of_command) == (3, 4)


def test_seed_is_unknown_without_a_training():
    assert TrainingSeed(4).seed is None
