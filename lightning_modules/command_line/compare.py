"""``compare``: tested runs as tables or a figure, or all runs as a page."""

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

import lightning_modules
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.comparison_figure import comparison_figure
from lightning_modules.command_line.ranking_table import FROM_REFERENCE, brief, rankings
from lightning_modules.command_line.results_document import write_results
from lightning_modules.command_line.standings_table import in_text
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.declarations import Family, Measure
from lightning_modules.records.benchmarks import BenchmarkRuns, by_benchmark
from lightning_modules.records.groups import TEST, Group, tested_groups
from lightning_modules.records.kept import distinct
from lightning_modules.records.picture_file import save_picture
from lightning_modules.records.problems import NoRuns, Problem
from lightning_modules.records.ranking import ranked
from lightning_modules.records.reader import Found, read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown
from lightning_modules.records.showing import shown_by
from lightning_modules.records.sizes import SIZES, UNKNOWN, size_in_words
from lightning_modules.records.standings import standings
from lightning_modules.table import columns

NOT_TESTED = "no run has results that can be read"
DESCRIPTION = """\
Print how tested models compare on each benchmark and over all of them;
or draw a curve over sequence steps for several models on one benchmark, with a table;
or write a document of all tests, or a page with everything in the runs, which
any browser shows offline.

  --out FILE.png   the curve
  --out FILE.md    tables of all tested runs, of any benchmark and model
  --out FILE.html  the page: tested runs and others, of any benchmark and model
  --live           the page, served on this machine and updated while runs go on

Runs are averaged if all settings that affect results are the same,
except the seed: mean [95% interval by Student's t], and the number of seeds.
Runs with the same seed are averaged first; a run and its kept record count once.
Differences are from the best group that shares three seeds with the most others;
a conclusion needs p < 0.05 after Holm's correction for their number.

The table and the curve show tested runs, all tested on the same sequences.
State size is how many numbers a sequence carries from step to step ("grows" if
all items are kept).
Other columns, with their names in docs/metrics.md:
"""


def compare(args: list[str]) -> None:
    """Compare tested runs: tables, a figure, or a page for the browser.

    Args:
        args: folders and options.
    """
    options = parse(args)
    try:
        if options.out is None and not options.live:
            tables, problems = shown_by(tables_of, read(options.runs), UsageError)
            report(problems)
            print(tables)
        elif options.live:
            serve(options.runs, options.port or 0, options.out)
        elif options.out.suffix.lower() == ".html":
            write_page(options.runs, options.out)
        elif options.out.suffix.lower() == ".md":
            with writing(options.out):
                write_results(read(options.runs), options.out)
            print(f"The document is {shown(options.out)}")
        else:
            draw(options)
    except NoRuns as reason:
        raise UsageError(str(reason)) from reason


def tables_of(found: Found) -> str:
    """Return a table for each benchmark, then the standings over all of them, if any.

    Raises:
        UsageError: no run was tested.
    """
    tables = [brief(ranking).in_text() for ranking in rankings(found.runs)]
    if not tables:
        raise UsageError(NOT_TESTED)
    over_all = standings(by_benchmark(found.runs))
    return "\n\n".join([*tables, *([in_text(over_all)] if over_all is not None else [])])


def draw(options: Namespace) -> None:
    """Write the figure, and print the table."""
    found = read(options.runs)
    for run in found.runs:
        if run.tested is None:
            print(f"skipped: {shown(run.folder)} has not been tested yet", file=sys.stderr)
    compare_runs = partial(comparison, against=options.against)
    (table, notes, figure), problems = shown_by(compare_runs, found, UsageError)
    report(problems)
    print(table)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    with writing(options.out):
        save_picture(figure, options.out)
    print(f"\nThe figure is {shown(options.out)}")


class Comparison(NamedTuple):
    """Tested runs side by side."""

    table: str
    notes: list[str]  #: how runs differ beyond their seeds
    figure: Figure


def comparison(found: Found, against: str | None) -> Comparison:
    """Compare the tested runs.

    Raises:
        UsageError: there is nothing to compare.
    """
    benchmark = the_benchmark(found)
    groups = tested_groups(benchmark.runs)
    notes = [caveat for group in groups for caveat in group.caveats()]
    return Comparison(
        table_of(benchmark, groups), notes, comparison_figure(benchmark, groups, against)
    )


def table_of(benchmark: BenchmarkRuns, groups: Sequence[Group]) -> str:
    """Return a table with a row per group: measures, and the difference in the headline.

    Args:
        benchmark: the groups' benchmark.
        groups: tested runs.
    """
    measures = [c for c in benchmark.family.columns if any(is_known(c, group) for group in groups)]
    sizes = [n for n in SIZES if any(size_in_words(g.runs, n) != UNKNOWN for g in groups)]
    headings = (*(SIZES[name] for name in sizes), *(measure.header for measure in measures))
    header = ["model", "core", "seeds", *headings]
    rows = [row(group, sizes, measures) for group in groups]
    if len(groups) > 1:
        ranking = ranked(benchmark)
        header.append(f"{ranking.headline.header} {FROM_REFERENCE}")
        tested = (row for row in ranking.rows if row.group.stage == TEST)
        differences = {row.group.label: row.in_words(ranking.headline.digits) for row in tested}
        for line, group in zip(rows, groups, strict=True):
            line.append(differences[group.label])
    return columns(header, rows, texts=2)


def serve(folders: Sequence[Path], port: int, out: Path | None) -> None:
    """Serve the page until Ctrl-C."""
    # Slow to import, and not needed by other commands.
    from lightning_modules.report.live import LivePage, server

    try:
        live = server(LivePage(folders, out), port)
    except OSError as failure:
        raise UsageError(f"--port: cannot use {port}: {failure.strerror}") from failure
    print(f"The page is http://127.0.0.1:{live.server_port}/ until Ctrl-C", flush=True)
    with live, suppress(KeyboardInterrupt):
        live.serve_forever()


def write_page(folders: Sequence[Path], out: Path) -> None:
    """Write the page, and print its size."""
    from lightning_modules.report.page import page, write

    found = read(folders)
    with writing(out):
        write(page(found), out)
    size = out.stat().st_size / 1e6
    count = len(found.runs)
    runs = f"{count} run{'s' * (count > 1)}"
    print(f"The page is {shown(out)}: {runs}, {size:.1f} MB")


def read(folders: Sequence[Path]) -> Found:
    """Read each run once, and report those that cannot be read."""
    found = read_runs(folders)
    report(found.problems)
    return found._replace(runs=distinct(found.runs))


def report(problems: Sequence[Problem]) -> None:
    """Print the runs that are skipped."""
    for problem in problems:
        print(f"skipped: {shown(problem.path)} {problem.reason}", file=sys.stderr)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn a failure to write a file into a UsageError."""
    try:
        yield
    except OSError as failure:
        raise UsageError(f"--out: cannot write {shown(out)}: {failure.strerror}") from failure


def the_benchmark(found: Found) -> BenchmarkRuns:
    """Return the one benchmark on which all tested runs were tested.

    Raises:
        UsageError: no run was tested, or they were tested on several benchmarks.
    """
    tested = [run for run in found.runs if run.tested is not None]
    if not tested:
        raise UsageError(NOT_TESTED)
    benchmarks = [b for b in by_benchmark(found.runs) if any(run.tested for run in b.runs)]
    if len(benchmarks) > 1:
        firsts = [next(run for run in b.runs if run.tested is not None) for b in benchmarks]
        raise UsageError(differ(*sorted(firsts, key=tested.index)[:2]))
    return benchmarks[0]


def differ(run: Run, other: Run) -> str:
    """Return why two tested runs cannot be compared."""
    if run.family.name != other.family.name:
        return (
            f"{run.family.name} and {other.family.name} cannot be compared: "
            f"{shown(run.folder)}, {shown(other.folder)}"
        )
    assert run.tested is not None and other.tested is not None
    return (
        "runs tested on different sequences cannot be compared:\n"
        f"{shown(run.folder)}: {run.tested.benchmark}\n"
        f"{shown(other.folder)}: {other.tested.benchmark}"
    )


def is_known(column: Measure, group: Group) -> bool:
    """Return whether any test of the group has this measure."""
    return bool(group.knowing(column.name).runs)


def row(group: Group, sizes: Sequence[str], measures: Sequence[Measure]) -> list[str]:
    """Return a group's row of the table."""
    core = ", ".join([group.core or "-", *group.settings])
    numbers = [group.number(measure) for measure in measures]
    written = (size_in_words(group.runs, name) for name in sizes)
    return [group.model, core, str(len(group.seeds)), *written, *numbers]


def parse(args: list[str]) -> Namespace:
    """Read the command line.

    Raises:
        UsageError: options contradict each other.
    """
    command = parser()
    options = command.parse(args)
    kind = None if options.out is None else options.out.suffix.lower()
    if options.live and kind not in (None, ".html"):
        command.error(f"--live: writes a page; --out must end in .html, got {options.out}")
    if options.port is not None and not options.live:
        command.error("--port: needs --live")
    if options.against is not None and kind != ".png":
        command.error("--against: needs --out FILE.png; the page has a switch")
    return options


def parser() -> CommandParser:
    """Return the parser of the command line."""
    families = (described(family) for family in lightning_modules.families())
    command = CommandParser("compare", "\n".join([DESCRIPTION, *families]))
    command.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run's folder, its results.json, a kept record, or a folder of any of these",
    )
    command.add_argument(
        "--out",
        type=picture_or_page,
        metavar="FILE",
        help="file to write: .png, .md or .html; default: tables in the terminal",
    )
    command.add_argument(
        "--live", action="store_true", help="serve the page and keep it up to date"
    )
    command.add_argument(
        "--port",
        type=port,
        metavar="NUMBER",
        help="port of the live page; default: any free one",
    )
    command.add_argument(
        "--against",
        choices=("steps", "seconds"),
        help="with --out FILE.png: draw tests by step of a sequence (default), or validations by "
        "seconds of training",
    )
    return command


def described(family: Family) -> str:
    """Return a family's columns for --help; tables omit those without a value."""
    width = max(len(column.header) for column in family.columns)
    lines = [f"  {column.header:<{width}}  {column.name}" for column in family.columns]
    return "\n".join([f"{family.name}, whose curve is the {family.curves[0].label}:", *lines, ""])


def picture_or_page(path: str) -> Path:
    """Parse a path whose ending selects the output."""
    if Path(path).suffix.lower() not in (".png", ".md", ".html"):
        raise ArgumentTypeError(f"must end in .png, .md or .html, got {path}")
    return Path(path)


def port(number: str) -> int:
    """Parse a port number."""
    if not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise ArgumentTypeError(f"must be a number from 1 to 65535, got {number}")
    return int(number)
