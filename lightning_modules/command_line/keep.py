"""``keep``: the record of a run that counts, as a small file for the repository."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.groups import by_group
from lightning_modules.records.kept import keep as keep_record
from lightning_modules.records.kept import record_of
from lightning_modules.records.problems import NoRuns, Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown

DESCRIPTION = """\
Keep what tests found of runs that count, one small file for each:
docs/records/BENCHMARK/MODEL/SEED.json. `compare` reads such files, and folders
of them, as it reads runs."""


def keep(args: list[str]) -> None:
    """Keep the records of runs that count, as small files for the repository.

    Args:
        args: folders and options.
    """
    parser = CommandParser("keep", DESCRIPTION)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a tested run, or of several"
    )
    parser.add_argument(
        "--name",
        required=True,
        metavar="BENCHMARK/MODEL",
        help="what they are kept as, such as maze/dnc_gtmm",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("docs/records"),
        metavar="FOLDER",
        help="default: %(default)s",
    )
    given = parser.parse(args)
    benchmark, slash, model = given.name.partition("/")
    if not (benchmark and model) or "/" in model or ".." in (benchmark, model):
        raise UsageError(
            f"--name: must be BENCHMARK/MODEL, such as maze/dnc_gtmm, got {given.name}"
        )
    try:
        found = read_runs(given.runs)
    except NoRuns as reason:
        raise UsageError(str(reason)) from reason
    for problem in found.problems:
        print(f"skipped: {shown(problem.path)} {problem.reason}", file=sys.stderr)
    require_repetitions(found.runs)
    folder = given.to / benchmark / model
    for path, text in [record(run, folder) for run in found.runs]:  # all, before any is written
        keep_record(text, path)
        print(f"Kept {shown(path)}")


def require_repetitions(runs: Sequence[Run]) -> None:
    """Refuse runs that one name cannot stand for.

    Raises:
        UsageError: there are none, or they differ in more than their seeds.
    """
    if not runs:
        raise UsageError("no run has results that can be read")
    if len(by_benchmark(runs)) > 1:
        raise UsageError("--name: these runs are of several benchmarks; keep them one by one")
    labels = [group.label for group in by_group(runs)]
    if len(labels) > 1:
        raise UsageError(f"--name: these runs differ in more than their seeds: {', '.join(labels)}")
    seeds = [run.seed for run in runs]
    if len(set(seeds)) < len(seeds):
        raise UsageError("seeds must differ, which name the records; some of these runs share one")


def record(run: Run, folder: Path) -> tuple[Path, str]:
    """Return where a run's record goes, and its text.

    Raises:
        UsageError: the run was not tested, has no seed, or another run has this seed already.
    """
    path = folder / f"{run.seed_name}.json"
    if run.seed is None:
        raise UsageError(f"{shown(run.folder)}: its seed is not known, which names the record")
    if path.exists():
        raise UsageError(f"{shown(path)} is there already; remove it to replace it")
    try:
        return path, record_of(run)
    except Unreadable as reason:
        raise UsageError(f"{shown(run.folder)} {reason}") from reason
