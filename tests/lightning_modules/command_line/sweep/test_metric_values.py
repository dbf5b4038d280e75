"""What is read from a run's ``metrics.csv``, also while it is written."""

from pathlib import Path

import pytest

from lightning_modules.command_line.sweep.metric_values import metric_values


def test_values_are_those_of_the_metric_by_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    assert metric_values(path, "val/nll") == []
    path.write_text("step,val/nll,x\n1,3.5,\n2,1.5,nan\n3,,\n", encoding="utf-8")
    assert metric_values(path, "val/nll") == [3.5, 1.5]
    assert metric_values(path, "x") == [pytest.approx(float("nan"), nan_ok=True)]
    assert metric_values(path, "y") == []


def test_a_line_in_the_making_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("val/nll,step\n-3.5,1\n-12.5,2", encoding="utf-8")
    assert metric_values(path, "val/nll") == [-3.5]


def test_a_step_that_was_repeated_counts_once(tmp_path: Path) -> None:
    """A run went on from step 2, after a kill amid a line."""
    path = tmp_path / "metrics.csv"
    path.write_text("step,val/nll\n2,4\n4,3\n6,2\n8,1.74,5\n4,2.5\n6,2.25\n", encoding="utf-8")
    assert metric_values(path, "val/nll") == [4.0, 2.5, 2.25, 1.74]
