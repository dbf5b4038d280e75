"""Probe of a memory: recall after changes to the stored content, and on longer sequences."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lightning_modules.pictures.layout import add_axes
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, sheet, tidy

WIDTH, PANEL_INCHES, GAP_INCHES, LEFT_INCHES = 10.5, 2.35, 0.85, 1.05
PANEL_HEIGHT, FOOT_INCHES, TOP_INCHES = 2.3, 0.75, 0.3
#: Height of each bar of a pair.
HALF_BAR = 0.34
#: Ratio of the largest to the smallest value above which the scale is logarithmic.
WIDE = 20


class Length(NamedTuple):
    """Result on sequences of one length."""

    times: int  #: length as a multiple of that in training
    value: float
    load: float  #: items stored per thousand numbers of state; NaN if unknown


def probe_figure(
    values: Mapping[str, float],
    shares: Mapping[str, tuple[float, float]],
    lengths: Sequence[Length],
    label: str,
    headings: tuple[str, str],
    colour: str,
) -> Figure:
    """Draw a value for each change and, if available, shares of classes and results by length.

    Args:
        values: the measure by change of the stored content, from top to bottom.
        shares: shares (0 to 1) of generated frames of the own class and of the donor's, by change;
            NaN if unknown.
        lengths: results by length; drawn if there are two or more.
        label: of the measure, with its unit.
        headings: title (bold) and subtitle.
        colour: the model's colour.
    """
    known = any(isfinite(share) for pair in shares.values() for share in pair)
    panels = 1 + known + (len(lengths) > 1)
    inner = WIDTH - LEFT_INCHES - 0.3 - GAP_INCHES * (panels - 1)
    top = HEADING_INCHES + TOP_INCHES
    figure = sheet(WIDTH, top + PANEL_HEIGHT + FOOT_INCHES, *headings)
    width = inner / panels
    places = iter(
        add_axes(figure, LEFT_INCHES + i * (width + GAP_INCHES), top, width, PANEL_HEIGHT)
        for i in range(panels)
    )
    _draw_values(next(places), values, label, colour)
    if known:
        _draw_shares(next(places), shares, colour)
    if len(lengths) > 1:
        _draw_lengths(next(places), lengths, label, colour)
    return figure


def _draw_values(axes: Axes, values: Mapping[str, float], label: str, colour: str) -> None:
    finite = [value for value in values.values() if isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    logarithmic = low > 0 and high > WIDE * low
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.6, high * (high / low) ** 0.35)
    else:
        low, high = min(low, 0.0), max(high, 0.0)
        room = 0.22 * (high - low) or 1
        axes.set_xlim(low - room * (low < 0), high + room)
    start = axes.get_xlim()[0] if logarithmic else 0.0
    for row, (name, value) in enumerate(values.items()):
        if isfinite(value):
            axes.plot([start, value], [row, row], color=colour, lw=2, alpha=0.45)
            axes.plot([value], [row], color=colour, marker="o", ms=8, gid=name)
            axes.annotate(
                f"{value:.2f}",
                (value, row),
                (8, 0),
                textcoords="offset points",
                va="center",
                size=8,
                color=INK,
            )
    _name_rows(axes, list(values))
    scale = ", logarithmic" if logarithmic else ""
    _entitle(axes, "Recall, by what is stored", label + scale)


def _draw_shares(axes: Axes, shares: Mapping[str, tuple[float, float]], colour: str) -> None:
    for row, pair in enumerate(shares.values()):
        for side, shade, share in zip((-1, 1), (QUIET, colour), pair, strict=True):
            place = row + side * HALF_BAR / 2
            name = "own class" if side < 0 else "donor's class"
            axes.barh(place, 100 * share, HALF_BAR, color=shade, label=name if row == 0 else None)
    axes.set_xlim(0, 100)
    _name_rows(axes, [""] * len(shares))
    _entitle(axes, "Generated after the given frames", "frames of a class (%)")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=2,
        fontsize=8,
        frameon=False,
        handlelength=1.2,
    )


def _draw_lengths(axes: Axes, lengths: Sequence[Length], label: str, colour: str) -> None:
    times = [each.times for each in lengths]
    values = [each.value for each in lengths]
    axes.plot(times, values, color=colour, lw=2, marker="o", ms=5, gid="lengths")
    axes.set_xscale("log", base=2)
    loads = [f"\n{each.load:.3g}" if isfinite(each.load) else "" for each in lengths]
    ticks = [f"{number}x{load}" for number, load in zip(times, loads, strict=True)]
    axes.set_xticks(times, ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    finite = [value for value in values if isfinite(value)]
    if finite and min(finite) >= 0:
        axes.set_ylim(0, 1.15 * max(finite) or 1)
    unit = "\nitems per 1,000 numbers of state" * any(loads)
    _entitle(axes, "Longer than in training", f"length{unit}")
    axes.set_ylabel(label, size=9, color=INK)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _entitle(axes: Axes, title: str, xlabel: str) -> None:
    axes.set_title(title, size=9, color=INK, loc="left")
    axes.set_xlabel(xlabel, size=9, color=INK)
    tidy(axes)
