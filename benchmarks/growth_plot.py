"""Plots the growth of times on logarithmic axes."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from contestants import EVERY_VARIANT
from growth import Growth
from lightning_modules.pictures.style import FAINT, INK, legend_below, sheet, tidy
from memory_cores import CORES, Look

WIDTH, HEIGHT = 8.0, 5.0
#: Look of contestants that are not cores.
NO_CORE = Look(INK, ".")


def look(name: str) -> Look:
    """Return the look of a contestant's core, or a neutral one."""
    return EVERY_VARIANT[name].core.look if name in EVERY_VARIANT else NO_CORE


def label(name: str, growth: Growth) -> str:
    """Return a contestant's name and exponent."""
    core = EVERY_VARIANT[name].label if name in EVERY_VARIANT else name.upper()
    return core if growth.exponent is None else f"{core}, exponent {growth.exponent:.2f}"


def dash(name: str) -> str:
    """Return a line style: solid for a plain core, dotted for its variants, dashed for others."""
    if name not in EVERY_VARIANT:
        return "--"
    variant = EVERY_VARIANT[name]
    return "-" if variant.core in CORES and not variant.settings else ":"


def growth_plot(curves: Mapping[str, Growth], title: str, subtitle: str, size: str) -> Figure:
    """Plot the median times of contestants over a size.

    Args:
        curves: by the contestants' names.
        title: first line, in bold.
        subtitle: second line.
        size: label of the horizontal axis.
    """
    figure = sheet(WIDTH, HEIGHT, title, subtitle)
    axes = figure.add_axes((0.09, 0.24, 0.87, 0.6))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(which="major", color=FAINT, lw=0.6)
    lines = {label(name, growth): draw(axes, name, growth) for name, growth in curves.items()}
    number_sizes(axes, curves)
    axes.set_xlabel(size, size=9, color=INK)
    axes.set_ylabel("training step (ms, median)", size=9, color=INK)
    tidy(axes)
    legend_below(figure, lines, columns=3)
    return figure


def draw(axes: Axes, name: str, growth: Growth) -> Line2D:
    """Draw one contestant's line."""
    colour, marker = look(name)
    (line,) = axes.plot(
        growth.sizes, growth.median_ms, dash(name), color=colour, marker=marker, gid=name
    )
    line.set(markersize=5, linewidth=1.8)
    return line


def number_sizes(axes: Axes, curves: Mapping[str, Growth]) -> None:
    """Put ticks at the measured sizes instead of powers of ten."""
    sizes = sorted({size for growth in curves.values() for size in growth.sizes})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xticks([], minor=True)
