"""The NLL's line, its optimum, and the steps that have a context."""

import pytest
import torch
from matplotlib.colors import to_hex

from lightning_modules.pictures import nll_curve

CURVES = {
    "nll": torch.tensor([1.5, -0.5, -1.0]),
    "context_share": torch.tensor([1.0, 0.5, 0.0]),
}
OPTIMAL = CURVES | {"optimal_nll": torch.tensor([0.5, -1.0, -1.25])}


def test_the_curve_is_drawn_over_steps_from_one() -> None:
    figure = nll_curve(CURVES, "Title", "Subtitle", "#D55E00")
    axes, behind = figure.axes
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [1, 2, 3] and line.get_ydata().tolist() == [1.5, -0.5, -1]
    assert to_hex(line.get_color()) == "#d55e00"
    assert "nats" in axes.get_ylabel() and axes.get_xlabel() == "step t"
    assert axes.get_ylim()[0] < -1 and axes.get_ylim()[1] > 1.5, "NLLs of densities go below zero"
    assert [bar.get_height() for bar in behind.patches] == [100, 50, 0]
    assert "context" in behind.get_ylabel() and "%" in behind.get_ylabel()


def test_the_optimum_is_a_dashed_line_that_says_what_it_knows() -> None:
    line = nll_curve(OPTIMAL, "", "", "#D55E00").axes[0].lines[1]
    assert line.get_ydata().tolist() == [0.5, -1, -1.25] and line.get_linestyle() == "--"
    assert line.get_label() == "optimum (knows the kernels)"


def test_who_infers_the_kernels_has_a_dotted_line() -> None:
    curves = OPTIMAL | {"inferred_nll": torch.tensor([0.75, -0.5, -1.0])}
    line = nll_curve(curves, "", "", "#D55E00").axes[0].lines[2]
    assert line.get_ydata().tolist() == [0.75, -0.5, -1] and line.get_linestyle() == ":"
    assert line.get_label() == "inference (from contexts alone)"


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_run_that_diverged_still_has_a_curve(broken: float) -> None:
    nll_curve(CURVES | {"nll": torch.full((3,), broken)}, "", "", "#D55E00")


def test_a_constant_curve_has_room() -> None:
    low, high = nll_curve(CURVES | {"nll": torch.ones(3)}, "", "", "#D55E00").axes[0].get_ylim()
    assert low < 1 < high
