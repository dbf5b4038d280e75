"""Formats the standings over all benchmarks, for a terminal or a document."""

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


def in_text(standings: Standings) -> str:
    """Format the ranking and the pairwise comparison for a terminal."""
    ranking, pairs = (
        columns(*cells, texts=1) for cells in (_ranking(standings), _pairs(standings))
    )
    return "\n".join([TITLE, ranking, *standings.remarks(), "", OF_IMPROVEMENT, pairs])


def in_markdown(standings: Standings, picture: str) -> str:
    """Format all of the standings as Markdown.

    Args:
        standings: over all benchmarks.
        picture: path of the figure, relative to the document.
    """
    remarks = (f"- {each}" for each in standings.remarks())
    ranking, pairs = (markdown(*cells) for cells in (_ranking(standings), _pairs(standings)))
    figure = f"![{OF_PROFILE}]({picture})"
    parts = [f"## {TITLE}", fill(EXPLANATION, WIDTH), ranking, "\n".join(remarks)]
    parts += [fill(f"{OF_IMPROVEMENT}.", WIDTH), pairs, f"{OF_PROFILE}.", figure]
    return "\n\n".join(parts)


def profile_figure(standings: Standings) -> Figure:
    """Draw the performance profiles of the ranked contestants."""
    profiles = [
        ModelProfile(
            row.contestant,
            row.group.colour,
            LINE_STYLES[row.dash],
            *standings.profile(row.contestant),
        )
        for row in standings.ranked
    ]
    return performance_profile(
        profiles, f"{len(standings.shared)} benchmarks, each counting the same"
    )


def _ranking(standings: Standings) -> Cells:
    header = ["contestant", "interquartile mean", "mean"]
    header += [benchmark.heading for benchmark in standings.benchmarks]
    rows = [
        [
            row.contestant,
            *standings.means_in_words(row),
            *(benchmark.in_words(row.contestant, DIGITS) for benchmark in standings.benchmarks),
        ]
        for row in standings.rows
    ]
    return header, rows


def _pairs(standings: Standings) -> Cells:
    names = [row.contestant for row in standings.rows]
    rows = [
        [own, *(standings.improvement_in_words(own, other) for other in names)] for own in names
    ]
    return ["better than", *names], rows
