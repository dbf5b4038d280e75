"""Standings over all benchmarks, for a terminal and for a document."""

from textwrap import fill

from matplotlib.figure import Figure

from lightning_modules.command_line.comparison_figure import LINE_STYLES
from lightning_modules.pictures.performance_profile import ModelProfile, performance_profile
from lightning_modules.records.standings import (
    DIGITS,
    EXPLANATION,
    OF_IMPROVEMENT,
    OF_PROFILE,
    Standings,
)
from lightning_modules.table import WIDTH, columns, markdown

TITLE = "Over all benchmarks"
Cells = tuple[list[str], list[list[str]]]


def in_text(found: Standings) -> str:
    """Lay out the ranking and the comparison of pairs for a terminal."""
    ranking, pairs = (columns(*cells, texts=1) for cells in (_ranking(found), _pairs(found)))
    return "\n".join([TITLE, ranking, *found.remarks(), "", OF_IMPROVEMENT, pairs])


def in_markdown(found: Standings, picture: str) -> str:
    """Lay out all of it for a document.

    Args:
        found: the standings.
        picture: path of the figure, from the document.
    """
    remarks = (f"- {each}" for each in found.remarks())
    ranking, pairs = (markdown(*cells) for cells in (_ranking(found), _pairs(found)))
    figure = f"![{OF_PROFILE}]({picture})"
    parts = [f"## {TITLE}", fill(EXPLANATION, WIDTH), ranking, "\n".join(remarks)]
    parts += [fill(f"{OF_IMPROVEMENT}.", WIDTH), pairs, f"{OF_PROFILE}.", figure]
    return "\n\n".join(parts)


def profile_figure(found: Standings) -> Figure:
    """Draw the performance profile of the ranked contestants."""
    profiles = [
        ModelProfile(
            row.contestant,
            row.group.colour,
            LINE_STYLES[row.dash],
            *found.profile(row.contestant),
        )
        for row in found.ranked
    ]
    return performance_profile(profiles, f"{len(found.shared)} benchmarks, each counting the same")


def _ranking(found: Standings) -> Cells:
    header = ["contestant", "interquartile mean", "mean"]
    header += [benchmark.heading for benchmark in found.benchmarks]
    rows = [
        [
            row.contestant,
            *found.means_in_words(row),
            *(benchmark.in_words(row.contestant, DIGITS) for benchmark in found.benchmarks),
        ]
        for row in found.rows
    ]
    return header, rows


def _pairs(found: Standings) -> Cells:
    names = [row.contestant for row in found.rows]
    rows = [[own, *(found.improvement_in_words(own, other) for other in names)] for own in names]
    return ["better than", *names], rows
