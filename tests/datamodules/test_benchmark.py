"""The contract of benchmarks: sizes that make sense, and defaults of what others may ask."""

import pytest

from datamodules import BenchmarkDataModule, DriftingFunctions, MNISTMaze
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
def test_kernels_are_inferred_where_functions_have_some(kind: type[BenchmarkDataModule]) -> None:
    data = kind()
    known = data.infer_nll if isinstance(data, DriftingFunctions) else None
    assert data.kernel_inference == known
