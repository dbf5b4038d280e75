"""The figure of a probe shows the numbers that it is given, and only what is known."""

from math import nan

from lightning_modules.pictures.probe import Length, probe_figure

VALUES = {"untouched": 0.2, "zeroed": 1.0, "transplanted": 20.0}
SHARES = {"untouched": (0.8, 0.1), "zeroed": (0.1, 0.1), "transplanted": (0.125, 0.75)}
UNKNOWN = dict.fromkeys(VALUES, (nan, nan))
HEADINGS = "Perfect recall: GTMM (DNC)", "mnist, 200 test sequences"


def test_values_shares_and_lengths_are_drawn() -> None:
    lengths = [Length(1, 0.2, 5.0), Length(4, 0.4, nan)]
    figure = probe_figure(VALUES, SHARES, lengths, "KL ratio", HEADINGS, "#0072B2")
    first, second, third = figure.axes
    drawn = {line.get_gid(): line.get_xdata()[0] for line in first.lines if line.get_gid()}
    assert drawn == VALUES
    assert first.get_xscale() == "log", "they differ by a factor of 100"
    bars = [bar.get_width() for bar in second.patches]
    assert bars == [80, 10, 10, 10, 12.5, 75]
    (line,) = third.lines
    assert line.get_xydata().tolist() == [[1, 0.2], [4, 0.4]]
    assert [tick.get_text() for tick in third.get_xticklabels()] == ["1x\n5", "4x"]
    assert [text.get_text() for text in figure.texts] == list(HEADINGS)


def test_what_is_not_known_has_no_panel() -> None:
    values = {"untouched": -0.5, "zeroed": nan, "transplanted": 0.25}
    figure = probe_figure(values, UNKNOWN, [Length(1, 0.2, 5.0)], "NLL", HEADINGS, "#0072B2")
    (axes,) = figure.axes
    drawn = {line.get_gid(): line.get_xdata()[0] for line in axes.lines if line.get_gid()}
    assert drawn == {"untouched": -0.5, "transplanted": 0.25}
    low, high = axes.get_xlim()
    assert axes.get_xscale() == "linear" and low < -0.5 and high > 0.25
