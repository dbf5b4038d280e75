"""``compare``: tested runs of several models on one benchmark, as a figure and as a table."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.command_line.closing_message import shown
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.mistakes import UsageError
from lightning_modules.command_line.model_runs import Estimate, ModelRuns, by_model
from lightning_modules.command_line.run_results import (
    SCALARS,
    RunResults,
    Unreadable,
    read_results,
    results_files,
)
from lightning_modules.command_line.table import columns
from lightning_modules.pictures.headings import in_words
from lightning_modules.pictures.kl_comparison import ModelCurve, kl_comparison
from lightning_modules.pictures.style import save

DESCRIPTION = """\
Draw the KL of each step of several models on one benchmark, and print a table.

Runs of the same model, memory core and settings of both are averaged, with the
standard error of the mean over runs. All must have been tested on the same
sequences. Columns, with their names in docs/metrics.md:

  bound               bound
  KL, new             kl_new
  KL, all recalled    kl_recalled
  KL ratio, old       recall_ratio: of steps recalled after 5 steps or more
  KL ratio, old late  recall_ratio_late: of those, step 20 and later
  best head's reads   read_correctness_best_head"""
#: Digits after the point for each of ``SCALARS``.
DIGITS = (1, 2, 2, 3, 3, 3)
HEADER = (
    *("model", "core", "runs"),
    *("bound", "KL, new", "KL, all recalled"),
    *("KL ratio, old", "KL ratio, old late", "best head's reads"),
)


def compare(args: list[str]) -> None:
    """Draw the KL of each step of several tested models, and print a table.

    Args:
        args: folders and options.
    """
    given = parser().parse(args)
    runs = read_all(given.runs)
    require_one_benchmark(runs)
    models = by_model(runs)
    print(columns(HEADER, map(row, models), texts=2))
    for model in models:
        for caveat in model.caveats():
            print(f"note: {caveat}", file=sys.stderr)
    share = next((run.recalled_share for run in runs if run.recalled_share is not None), None)
    figure = kl_comparison([line(model) for model in models], share, *headings(models))
    try:
        save(figure, given.out)
    except OSError as failure:
        raise UsageError(
            f"--out: can not write {shown(given.out)}: {failure.strerror}"
        ) from failure
    print(f"\nThe figure is {shown(given.out)}")


def parser() -> CommandParser:
    """Folders of runs, and where the figure goes."""
    made = CommandParser("compare", DESCRIPTION)
    made.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a run, its results.json, or a folder with runs below it: runs/*_maze",
    )
    made.add_argument(
        "--out", type=png, required=True, metavar="FILE.png", help="where the figure goes"
    )
    return made


def png(path: str) -> Path:
    """A path of a picture."""
    if Path(path).suffix.lower() != ".png":
        raise ArgumentTypeError(f"must end in .png, got {path}")
    return Path(path)


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


def require_one_benchmark(runs: Sequence[RunResults]) -> None:
    """Refuse runs that were tested on something else than the first one."""
    first = runs[0]
    for run in runs:
        if run.benchmark != first.benchmark:
            raise UsageError(
                "runs that were tested on different sequences do not compare:\n"
                f"{shown(first.folder)}: {first.benchmark}\n{shown(run.folder)}: {run.benchmark}"
            )


def row(model: ModelRuns) -> list[str]:
    """A model's line of the table."""
    core = ", ".join([model.memory or "-", *model.settings])
    estimates = zip(map(model.scalar, SCALARS), DIGITS, strict=True)
    numbers = [with_error(estimate, digits) for estimate, digits in estimates]
    return [model.model, core, str(len(model.runs)), *numbers]


def with_error(estimate: Estimate, digits: int) -> str:
    """Mean ± standard error, as far as they are known."""
    mean, error = (f"{value.item():,.{digits}f}" if value.isfinite() else "" for value in estimate)
    return (f"{mean} ± {error}" if error else mean) or "-"


def line(model: ModelRuns) -> ModelCurve:
    """A model's line of the figure."""
    count = len(model.runs)
    name = f"{model.label}, {count} run{'s' if count > 1 else ''}"
    return ModelCurve(name, model.memory, *model.kl())


def headings(models: Sequence[ModelRuns]) -> tuple[str, str]:
    """Title: the benchmark and its source; subtitle: sizes of the test set and of training."""
    runs = [run for model in models for run in model.runs]
    benchmark = runs[0].benchmark
    title = f"{in_words(benchmark.name)}, {benchmark.steps} steps, {benchmark.source}"
    least, most = (f(run.training_steps for run in runs) for f in (min, max))
    trained = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    parts = [f"{benchmark.sequences:,} test sequences", f"{trained} training steps"]
    if len(runs) > len(models):
        parts.append("mean over runs, band: standard error")
    return title, "; ".join(parts)
