"""Panels of what is followed in training, and levels beside lines over the memory's size."""

import pytest
import torch
from matplotlib.colors import to_hex

from lightning_modules.pictures.curve_comparison import ModelCurve
from lightning_modules.pictures.size_comparison import size_comparison
from lightning_modules.pictures.training_comparison import MeasureInTraining, training_comparison

NAN = float("nan")


def curve(name: str, mean: list[float], places: list[float] | None, margin: float) -> ModelCurve:
    margins = torch.full((len(mean),), margin)
    at = None if places is None else torch.tensor(places)
    return ModelCurve(name, "#0072b2", "o", "-", torch.tensor(mean), margins, at)


@pytest.mark.parametrize(("in_seconds", "label"), [(True, "seconds"), (False, "training steps")])
def test_each_measure_has_a_panel_with_all_models(in_seconds: bool, label: str) -> None:
    bound = [curve("a", [-40, -20], [500, 1000], 1), curve("b", [-50, -30], [500, 1500], NAN)]
    kl = [curve("a", [8, 4], [500, 1000], 1), curve("b", [9, 9], [500, 1500], NAN)]
    panels = [MeasureInTraining("bound", False, bound), MeasureInTraining("KL", True, kl)]
    left, right = training_comparison(panels, in_seconds, "Title", "Subtitle").axes
    assert [line.get_xdata().tolist() for line in left.lines] == [[500, 1000], [500, 1500]]
    assert [line.get_ydata().tolist() for line in right.lines] == [[8, 4], [9, 9]]
    assert len(left.collections) == 1, "a single run has no band"
    assert left.get_ylim()[0] < -50 and right.get_ylim()[0] == 0
    assert (left.get_ylabel(), right.get_ylabel()) == ("bound", "KL")
    assert label in left.get_xlabel() and left.get_xlim()[0] == right.get_xlim()[0] == 0
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["a", "b"] and right.get_legend() is None


def test_memories_are_lines_over_their_size_and_others_levels() -> None:
    lines = [curve("RMR", [0.7, 0.6, 0.5], [9, 25, 100], 0.02)]
    levels = [curve("SNP", [1.1], None, 0.05), curve("SNP, wide", [1.0], None, NAN)]
    axes = size_comparison(lines, levels, "NLL", "Title", "Subtitle").axes[0]
    rmr, snp, wide = axes.lines
    assert rmr.get_xdata().tolist() == [9, 25, 100] and axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["9", "25", "100"]
    assert list(snp.get_ydata()) == pytest.approx([1.1, 1.1])
    assert tuple(snp.get_xdata()) == axes.get_xlim(), "over the whole width"
    # One colour stands for one model, so its variants have dashes of their own.
    assert to_hex(snp.get_color()) == to_hex(wide.get_color())
    assert snp._dash_pattern != wide._dash_pattern
    bands = {band.get_gid(): band.get_paths()[0].vertices[:, 1] for band in axes.collections}
    assert set(bands) == {"RMR", "SNP"}
    assert (bands["SNP"].min(), bands["SNP"].max()) == pytest.approx((1.05, 1.15))
    low, high = axes.get_ylim()
    assert low < 0.48 and high > 1.15
