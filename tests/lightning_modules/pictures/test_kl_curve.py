"""The KL curve's lines and units."""

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lightning_modules.pictures import kl_curve

NAN = float("nan")
CURVES = {
    "kl": torch.tensor([4.0, 3.0, 2.0]),
    "kl_new": torch.tensor([4.0, 3.5, 3.0]),
    "kl_recalled": torch.tensor([NAN, 2.0, 1.0]),
    "recalled_share": torch.tensor([0.0, 0.5, 0.75]),
}
# The first two steps are new in every sequence; all recall the third one.
RECALL_TASK = {
    "kl": torch.tensor([4.0, 3.0, 1.0]),
    "kl_new": torch.tensor([4.0, 3.0, NAN]),
    "kl_recalled": torch.tensor([NAN, NAN, 1.0]),
    "recalled_share": torch.tensor([0.0, 0.0, 1.0]),
}


def lines_of(figure: Figure) -> dict[str, list[float]]:
    return {line.get_gid(): line.get_ydata().tolist() for line in figure.axes[0].lines}


def test_the_curves_are_drawn_over_steps_from_one() -> None:
    figure = kl_curve(CURVES, "Title", "Subtitle", "#0072B2")
    lines = lines_of(figure)
    assert lines["all steps"] == [4, 3, 2] and lines["new steps"] == [4, 3.5, 3]
    assert lines["recalled steps"][1:] == [2, 1]
    axes = figure.axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert "nats" in axes.get_ylabel() and axes.get_xlabel() == "step t"
    assert axes.get_ylim() == pytest.approx((0, 1.08 * 4)), "above the highest, from zero"


@pytest.mark.parametrize("colour", ["#0072b2", "#d55e00"])
def test_the_recalled_steps_have_the_models_colour(colour: str) -> None:
    (line,) = [
        line
        for line in kl_curve(CURVES, "", "", colour).axes[0].lines
        if line.get_gid() == "recalled steps"
    ]
    assert to_hex(line.get_color()) == colour


def test_a_kl_of_zero_has_a_curve_at_zero() -> None:
    curves = {name: torch.zeros(3) for name in CURVES}
    assert kl_curve(curves, "", "", "#0072B2").axes[0].get_ylim() == (0, 1)


def test_shares_are_percentages_behind_the_lines() -> None:
    lines, bars = kl_curve(CURVES, "", "", "#0072B2").axes
    assert [bar.get_height() for bar in bars.patches] == [0, 50, 75]
    assert "%" in bars.get_ylabel() and len(bars.get_yticks())
    assert lines.get_zorder() > bars.get_zorder()


def test_where_all_sequences_recall_the_same_steps_no_line_lies_over_another() -> None:
    figure = kl_curve(RECALL_TASK, "", "", "#0072B2")
    lines = lines_of(figure)
    assert set(lines) == {"new steps", "recalled steps"}
    assert lines["new steps"][:2] == [4, 3] and lines["recalled steps"][2] == 1
    bars = figure.axes[1]
    assert [bar.get_height() for bar in bars.patches] == [0, 0, 100]
    assert "%" not in bars.get_ylabel() and not len(bars.get_yticks())


def test_a_run_that_diverged_still_has_a_curve() -> None:
    for broken in (torch.full((3,), NAN), torch.tensor([1, 2, float("inf")])):
        curves = {name: broken for name in CURVES} | {"recalled_share": torch.zeros(3)}
        kl_curve(curves, "", "", "#0072B2")
