"""The contract of benchmarks: sizes that make sense, and defaults of what others may ask."""

import pytest

from datamodules import BenchmarkDataModule, MNISTMaze, MovingDigits
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
