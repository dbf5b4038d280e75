"""A performance profile falls at each score, and shows scores below 0."""

import numpy as np
from matplotlib.colors import to_hex

from lightning_modules.pictures.performance_profile import ModelProfile, performance_profile


def profile(name: str, *thresholds: float, style: str = "-") -> ModelProfile:
    shares = 1 - np.arange(1, len(thresholds) + 1) / len(thresholds)
    return ModelProfile(name, "#0072B2", style, np.array(thresholds), shares)


def test_the_share_falls_at_each_score() -> None:
    figure = performance_profile([profile("A", 0.2, 0.7), profile("B", -0.4, 0.1, style="--")], "")
    first, second = figure.axes[0].lines
    assert first.get_xdata()[1:].tolist() == [0.2, 0.7, 1]
    assert first.get_ydata().tolist() == [1, 0.5, 0, 0]
    assert first.get_drawstyle() == "steps-post", "it holds from its score on"
    assert to_hex(first.get_color()) == "#0072b2"
    assert (first.get_linestyle(), second.get_linestyle()) == ("-", "--")
    left, right = figure.axes[0].get_xlim()
    assert left < -0.4 and right == 1
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["A", "B"]
