"""The document of all kept results: per benchmark a table and, if runs have curves, a figure."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from matplotlib.figure import Figure

from lightning_modules.command_line.comparison_figure import comparison_figure
from lightning_modules.command_line.ranking_table import full, rankings
from lightning_modules.command_line.standings_table import in_markdown, profile_figure
from lightning_modules.records.answers import EXPLANATION, TITLE, Answer, answers, tally
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.bundle import bundles
from lightning_modules.records.groups import tested_groups
from lightning_modules.records.picture_file import save_picture
from lightning_modules.records.ranking import Ranking
from lightning_modules.records.reader import Found
from lightning_modules.records.run_folder import shown, write_text
from lightning_modules.records.settings import ON_DIVERGENCE
from lightning_modules.records.standings import Standings, standings
from lightning_modules.table import WIDTH

INTRODUCTION = """\
# Results

Generated from the records of runs in `docs/records/` by
`python cli.py compare docs/records --out docs/results.md`: change the records, not this file.

Every number is measured on the test set that is named below the heading, with its source, its size
and the first digits of its hash. It is a mean over seeds with the 95% interval of Student's t, cut
off at the least and largest possible value; a single seed has none, and runs of one seed are
averaged first. Groups are ranked by the first measure.

The reference is the best of the groups that share three seeds with the most others. Differences
from it are between runs with the same seed, each with its own 95% interval. There is a conclusion
only with three pairs or more and p < 0.05 in Student's t-test after Holm's correction for the
number of groups; otherwise the difference is marked "no conclusion", even if its interval excludes
0. The reference was chosen on the same seeds, for which nothing is corrected: among eight equally
good models, one table in ten has a conclusion all the same.

Arrows say which values are better. State size is how many numbers a sequence carries from step to
step. Training steps and seconds count until the tested checkpoint, the best in validation, which
may be earlier than the last. Seconds are those of the fastest seed. They include validations and
whatever else the machine was doing, so they compare on one machine only.
Names are explained in [metrics.md](metrics.md); further findings are in [notes.md](notes.md).
"""
#: Folder of the figures, beside the document.
FIGURES = "pictures"
PROFILE = "performance_profile.png"


class Part(NamedTuple):
    """A benchmark's part of the document."""

    text: str
    picture: str | None  #: file name of its figure; None if no run has a curve
    ranking: Ranking

    def figure(self) -> Figure:
        """Draw the family's first curve for each group."""
        benchmark = self.ranking.benchmark
        return comparison_figure(benchmark, tested_groups(benchmark.runs), None)


def results_text(found: Found) -> str:
    """Return the document of these runs."""
    return _document(found, standings(by_benchmark(found.runs)), list(_parts(found)))


def _document(found: Found, over_all: Standings | None, sections: Sequence[Part]) -> str:
    best = answers([part.ranking for part in sections])
    parts = [_answers(best)] if best else []
    parts += [in_markdown(over_all, f"{FIGURES}/{PROFILE}")] if over_all is not None else []
    parts += [part.text for part in sections]
    left_out = [f"- {each}" for each in _left_out(found)]
    parts += ["\n".join(["## Left out", "", *left_out])] if left_out else []
    return "\n".join([INTRODUCTION, *(f"{part}\n" for part in parts)])


def _answers(best: Sequence[Answer]) -> str:
    lines = (
        f"- **{each.benchmark.label}: {each.best.group.label}**, "
        f"{'. '.join((each.sizes(), *each.others()))}"
        for each in best
    )
    parts = [f"## {TITLE}", fill(EXPLANATION, WIDTH), "\n".join(lines), fill(tally(best), WIDTH)]
    return "\n\n".join(parts)


def write_results(found: Found, path: Path) -> None:
    """Write the document, and its figures beside it."""
    over_all, parts = standings(by_benchmark(found.runs)), list(_parts(found))
    if over_all is not None:
        save_picture(profile_figure(over_all), path.parent / FIGURES / PROFILE)
    for part in parts:
        if part.picture is not None:
            save_picture(part.figure(), path.parent / FIGURES / part.picture)
    write_text(path, _document(found, over_all, parts))


def _parts(found: Found) -> Iterator[Part]:
    for ranking in rankings(found.runs):
        benchmark, text = ranking.benchmark, full(ranking).in_markdown()
        notes = [f"- {caveat}" for row in ranking.rows for caveat in row.group.caveats()]
        text += "\n".join(["\n", *notes]) if notes else ""
        curve = benchmark.family.curves[0]
        drawn = any(run.curve(curve.name) is not None for run in benchmark.runs)
        name = "_".join(re.findall(r"[a-z0-9]+", benchmark.label.lower())) + "_curves.png"
        if drawn:
            text += f"\n\n![{benchmark.label}: {curve.label}]({FIGURES}/{name})"
        yield Part(text, name if drawn else None, ranking)


def _left_out(found: Found) -> Iterator[str]:
    """Yield what could not be read, and the diverged runs, which no mean includes."""
    for problem in found.problems:
        yield f"{shown(problem.path)} {problem.reason}"
    for run in found.runs:
        skips = run.settings.get(f"trainer.{ON_DIVERGENCE}") == "skip"
        if run.tested is None and not skips and bundles(run.folder):
            yield f"{shown(run.folder)} diverged in training and was not tested"
