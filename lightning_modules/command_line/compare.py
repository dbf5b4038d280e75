"""``compare``: tested runs of several models as a figure and a table, or all runs as a page."""

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path

from matplotlib.figure import Figure

from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.convergence import convergence
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.names import in_words
from lightning_modules.pictures.curve_comparison import Backdrop, ModelCurve, curve_comparison
from lightning_modules.pictures.looks import look_of
from lightning_modules.pictures.style import save
from lightning_modules.records.model_runs import ModelRuns, by_model
from lightning_modules.records.readings import Column
from lightning_modules.records.results_file import (
    RunResults,
    Unreadable,
    read_results,
    results_files,
)
from lightning_modules.records.run_folder import shown
from lightning_modules.table import columns

#: Of the first, second, ... model that looks alike.
LINE_STYLES = ("-", "--", ":", "-.")
DESCRIPTION = """\
Draw a curve over steps of several models on one benchmark, and print a table;
or make a page of all that runs hold, for any browser, without a network.

  --out FILE.png   the curve
  --out FILE.html  the page: tested runs and others, of any benchmark and model
  --live           the page on this machine, made again while runs go on

The table and the curve:
Runs of the same model, memory core and settings of both are averaged, with the
standard error of the mean over runs. All must have been tested on the same
sequences. Columns, with their names in docs/metrics.md. Generative temporal
models, whose curve is the KL:

  bound               bound
  KL, new             kl_new
  KL, all recalled    kl_recalled
  KL ratio, old       recall_ratio: of steps recalled after 5 steps or more
  KL ratio, old late  recall_ratio_late: of those, step 20 and later
  best head's reads   read_correctness_best_head

Neural processes, whose curve is the target-NLL:

  NLL                 nll
  with context        nll_with_context: of steps with a context
  without context     nll_without_context: of the others
  unseen              nll_unseen: of targets that are not in their context
  gap to optimum      gap_nll: to one who knows the kernels
  gap to inference    gap_inferred_nll: to one who infers them, after cli.py oracle
  overlap, late       overlap_late: of digits, without a context, in the second half
  MSE                 mse

Columns that no test knows are left out."""


def compare(args: list[str]) -> None:
    """Draw a curve over steps of several tested models, and print a table.

    Args:
        args: folders and options.
    """
    given = parse(args)
    if given.live:
        serve(given.runs, given.port or 0, given.out)
    elif given.out.suffix.lower() == ".html":
        write_page(given.runs, given.out)
    else:
        draw(given)


def draw(given: Namespace) -> None:
    """Draw the curve, and print the table."""
    runs = read_all(given.runs)
    require_one_family(runs)
    require_one_benchmark(runs)
    models = by_model(runs)
    known = [column for column in runs[0].reading.columns if is_known(column, runs)]
    header = ["model", "core", "runs", *(column.header for column in known)]
    print(columns(header, (row(model, known) for model in models), texts=2))
    for model in models:
        for caveat in model.caveats():
            print(f"note: {caveat}", file=sys.stderr)
    figure = by_seconds(models) if given.against == "seconds" else by_step(models)
    with writing(given.out):
        save(figure, given.out)
    print(f"\nThe figure is {shown(given.out)}")


def serve(folders: Sequence[Path], port: int, out: Path | None) -> None:
    """Serve the page until Ctrl-C."""
    # Slow to import, and not needed by other commands.
    from lightning_modules.report.live import LivePage, server

    try:
        made = server(LivePage(folders, out), port)
    except OSError as failure:
        raise UsageError(f"--port: can not take {port}: {failure.strerror}") from failure
    print(f"The page is http://127.0.0.1:{made.server_port}/ until Ctrl-C", flush=True)
    with made, suppress(KeyboardInterrupt):
        made.serve_forever()


def write_page(folders: Sequence[Path], out: Path) -> None:
    """Write the page, and say what is left out."""
    from lightning_modules.report.page import page, read_runs, write

    found = read_runs(folders)
    for problem in found.problems:
        skip(problem.path, problem.reason)
    with writing(out):
        write(page(found), out)
    size = out.stat().st_size / 1e6
    count = len(found.runs)
    runs = f"{count} run{'s' * (count > 1)}"
    print(f"The page is {shown(out)}: {runs}, {size:.1f} MB")


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Name a file that can not be written."""
    try:
        yield
    except OSError as failure:
        raise UsageError(f"--out: can not write {shown(out)}: {failure.strerror}") from failure


def by_step(models: Sequence[ModelRuns]) -> Figure:
    """The curve that tests found."""
    runs = [run for model in models for run in model.runs]
    tested = f"{runs[0].benchmark.sequences:,} test sequences"
    lines = [
        ModelCurve(*known_by(model), style, *model.curve())
        for model, style in zip(models, line_styles(models), strict=True)
    ]
    return curve_comparison(lines, backdrop(runs), *headings(models, tested))


def by_seconds(models: Sequence[ModelRuns]) -> Figure:
    """What validations found in the course of training."""
    found = [convergence(model) for model in models]
    lines = [
        ModelCurve(*known_by(model), style, *each.values, each.seconds)
        for model, style, each in zip(models, line_styles(models), found, strict=True)
    ]
    label = models[0].runs[0].reading.validated_label
    return curve_comparison(lines, Backdrop(label, False), *headings(models, "Validation set"))


def parse(args: list[str]) -> Namespace:
    """Read the command line.

    Raises:
        UsageError: options do not go together.
    """
    made = parser()
    given = made.parse(args)
    picture = given.out is not None and given.out.suffix.lower() == ".png"
    if given.out is None and not given.live:
        made.error("the following arguments are required: --out or --live")
    if given.live and picture:
        made.error(f"--live: makes a page; --out must end in .html, got {given.out}")
    if given.port is not None and not given.live:
        made.error("--port: is for --live")
    if given.against is not None and not picture:
        made.error("--against: is for a .png; the page has a switch")
    return given


def parser() -> CommandParser:
    """Folders of runs, what is made of them, and where it goes."""
    made = CommandParser("compare", DESCRIPTION)
    made.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a run, its results.json, or a folder with runs below it: runs/*_maze",
    )
    made.add_argument(
        "--out", type=picture_or_page, metavar="FILE", help="where it goes: .png or .html"
    )
    made.add_argument("--live", action="store_true", help="serve the page, and keep it up to date")
    made.add_argument(
        "--port", type=port, metavar="NUMBER", help="of the live page; default: one that is free"
    )
    made.add_argument(
        "--against",
        choices=("steps", "seconds"),
        help="draw tests by step of a sequence (default), or validations by seconds of training",
    )
    return made


def picture_or_page(path: str) -> Path:
    """A path that says what is to be made."""
    if Path(path).suffix.lower() not in (".png", ".html"):
        raise ArgumentTypeError(f"must end in .png or .html, got {path}")
    return Path(path)


def port(number: str) -> int:
    """A port that a server may listen on."""
    if not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise ArgumentTypeError(f"must be a number from 1 to 65535, got {number}")
    return int(number)


def read_all(folders: Sequence[Path]) -> list[RunResults]:
    """Read what can be read, each run once, and say what can not.

    Raises:
        UsageError: a folder is none, or there is nothing left.
    """
    runs = {}
    for folder in folders:
        files = results_files(folder)
        if not files:
            skip(folder, "holds no results.json; `test` writes it")
        for file in files:
            try:
                runs[file.resolve()] = read_results(file)
            except Unreadable as reason:
                skip(file, reason)
    if not runs:
        raise UsageError("no run has results that can be read")
    return list(runs.values())


def skip(path: Path, reason: object) -> None:
    """Say what is left out."""
    print(f"skipped: {shown(path)} {reason}", file=sys.stderr)


def require_one_family(runs: Sequence[RunResults]) -> None:
    """Refuse runs of which something else is measured than of the first one."""
    first = runs[0]
    for run in runs:
        if run.reading is not first.reading:
            raise UsageError(
                f"{first.reading.family} and {run.reading.family} do not compare: "
                f"{shown(first.folder)}, {shown(run.folder)}"
            )


def require_one_benchmark(runs: Sequence[RunResults]) -> None:
    """Refuse runs that were tested on something else than the first one."""
    first = runs[0]
    for run in runs:
        if run.benchmark != first.benchmark:
            raise UsageError(
                "runs that were tested on different sequences do not compare:\n"
                f"{shown(first.folder)}: {first.benchmark}\n{shown(run.folder)}: {run.benchmark}"
            )


def is_known(column: Column, runs: Sequence[RunResults]) -> bool:
    """Whether any test has this number."""
    return any(isfinite(run.scalars[column.scalar]) for run in runs)


def row(model: ModelRuns, wanted: Sequence[Column]) -> list[str]:
    """A model's line of the table."""
    core = ", ".join([model.memory or "-", *model.settings])
    numbers = [model.scalar(column.scalar).in_words(column.digits) for column in wanted]
    return [model.model, core, str(len(model.runs)), *numbers]


def known_by(model: ModelRuns) -> tuple[str, str, str]:
    """A model's name in the figure, its colour and its marker."""
    count = len(model.runs)
    name = f"{model.label}, {count} run{'s' if count > 1 else ''}"
    return name, *look_of(model.model, model.memory)


def line_styles(models: Sequence[ModelRuns]) -> list[str]:
    """Tell models that look alike apart."""
    looks = [look_of(model.model, model.memory) for model in models]
    return [LINE_STYLES[looks[:i].count(look) % len(LINE_STYLES)] for i, look in enumerate(looks)]


def backdrop(runs: Sequence[RunResults]) -> Backdrop:
    """What all runs have in common, from the first one that knows it."""
    reading = runs[0].reading
    return Backdrop(
        reading.label,
        reading.from_zero,
        next((run.share for run in runs if run.share is not None), None),
        reading.share_name,
        next((run.optimum for run in runs if run.optimum is not None), None),
        reading.optimum_name,
    )


def headings(models: Sequence[ModelRuns], measured: str) -> tuple[str, str]:
    """Title: the benchmark and its source; subtitle: what was measured, and size of training."""
    runs = [run for model in models for run in model.runs]
    benchmark = runs[0].benchmark
    title = f"{in_words(benchmark.name)}, {benchmark.steps} steps, {benchmark.source}"
    least, most = (f(run.training_steps for run in runs) for f in (min, max))
    trained = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    parts = [measured, f"{trained} training steps"]
    if len(runs) > len(models):
        parts.append("mean over runs, band: standard error")
    return title, "; ".join(parts)
