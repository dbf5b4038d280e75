"""The contract of benchmarks: valid sizes, and defaults of their properties."""

from typing import Any

import pytest
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters_context

from datamodules import BenchmarkDataModule, MNISTMaze, MovingDigits, PerfectRecall
from tests.datamodules.benchmarks import benchmarks


@pytest.mark.parametrize("name", ["batch_size", "eval_batch_size", "train_size", "test_size"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got 0$"):
        MNISTMaze(**{name: 0})


@pytest.mark.parametrize("name", ["num_workers", "seed"])
def test_negative_numbers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be at least 0, got -1$"):
        MNISTMaze(**{name: -1})


@pytest.mark.parametrize("kind", benchmarks(BenchmarkDataModule))
def test_kernels_can_be_inferred_by_those_who_say_so(kind: type[BenchmarkDataModule]) -> None:
    assert kind.has_kernels_to_infer == hasattr(kind, "infer_nll")


def test_frames_and_pictures_have_no_kernels() -> None:
    assert not MNISTMaze.has_kernels_to_infer and not MovingDigits.has_kernels_to_infer


@pytest.mark.parametrize("kind", benchmarks(BenchmarkDataModule))
def test_every_benchmark_can_be_built_from_its_defaults(kind: type[BenchmarkDataModule]) -> None:
    """Nothing is read from disk before `setup`."""
    data = kind(seed=3)
    assert data.sequence_length >= 1 and data.hparams["seed"] == 3
    with pytest.raises(RuntimeError, match="call prepare_data"):
        data.dataset("test")


class Echo(PerfectRecall):
    """A benchmark that fixes a setting of its base class."""

    def __init__(self, pre_recall_length: int = 4, **settings: Any) -> None:
        super().__init__(
            pre_recall_length=pre_recall_length, recall_length=pre_recall_length, **settings
        )


def test_base_classes_know_what_a_subclass_decides_on() -> None:
    """In Python and on the command line, where Lightning saves only what is given there."""
    assert Echo().sequence_length == 8
    with _given_hyperparameters_context({"pre_recall_length": 6, "seed": 3}, "the command line's"):
        built = Echo(pre_recall_length=6, seed=3)
    assert (built.sequence_length, built.recall_length, built.hparams["seed"]) == (12, 6, 3)
    assert built.hparams["train_size"] == 10_000
