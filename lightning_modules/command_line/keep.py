"""``keep``: stores the test results of runs as small files for the repository."""

import re
import sys
from collections.abc import Iterable, Sequence
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
Keep the test results of runs, one small file each:
docs/records/BENCHMARK/MODEL/SEED.json. `compare` reads such files, and folders
of them, like runs.

Without --name, runs of a table are kept under the names of their folders; those
already kept or not yet tested are skipped."""
#: Folder names of a table's runs: benchmark, seed, model.
OF_TABLE = re.compile(r"(\w+)-seed\d+-(\w+)")


def keep(args: list[str]) -> None:
    """Keep the test results of runs as small files for the repository.

    Args:
        args: folders and options.
    """
    parser = CommandParser("keep", DESCRIPTION)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a tested run, or of several"
    )
    parser.add_argument(
        "--name",
        metavar="BENCHMARK/MODEL",
        help="name to keep them under, such as maze/dnc_gtmm; default: from the folder names of a "
        "table's runs",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("docs/records"),
        metavar="FOLDER",
        help="folder of records (default: %(default)s)",
    )
    options = parser.parse(args)
    try:
        found = read_runs(options.runs)
    except NoRuns as reason:
        raise UsageError(str(reason)) from reason
    for problem in found.problems:
        print(f"skipped: {shown(problem.path)} {problem.reason}", file=sys.stderr)
    if options.name is None:
        kinds = by_name(run for run in found.runs if run.tested is not None)
    else:
        kinds = {name_of(options.name): found.runs}
    texts = []
    for name, runs in kinds.items():
        require_repetitions(runs)
        texts += [record(run, options.to / name) for run in runs]
    for path, text in texts:  # only after all runs were read
        if not path.exists():
            keep_record(text, path)
            print(f"Kept {shown(path)}")


def name_of(name: str) -> Path:
    """Return the folder of a --name.

    Raises:
        UsageError: the name does not have the form BENCHMARK/MODEL.
    """
    benchmark, _, model = name.partition("/")
    if not (benchmark and model) or "/" in model or ".." in (benchmark, model):
        raise UsageError(f"--name: must be BENCHMARK/MODEL, such as maze/dnc_gtmm, got {name}")
    return Path(benchmark, model)


def by_name(runs: Iterable[Run]) -> dict[Path, list[Run]]:
    """Group runs of a table by the benchmark and model in their folders' names.

    Raises:
        UsageError: a folder is not named as a table's run.
    """
    by_folder: dict[Path, list[Run]] = {}
    for run in runs:
        match = OF_TABLE.fullmatch(run.folder.name)
        if match is None:
            raise UsageError(f"--name: is missing; {shown(run.folder)} is not a run of a table")
        by_folder.setdefault(Path(match[1], match[2]), []).append(run)
    return by_folder


def require_repetitions(runs: Sequence[Run]) -> None:
    """Reject runs that do not belong under one name.

    Raises:
        UsageError: there are no runs, or they differ in more than their seeds.
    """
    if not runs:
        raise UsageError("no run has results that can be read")
    if len(by_benchmark(runs)) > 1:
        raise UsageError("--name: these runs are from several benchmarks; keep them one at a time")
    labels = [group.label for group in by_group(runs)]
    if len(labels) > 1:
        raise UsageError(f"--name: these runs differ in more than their seeds: {', '.join(labels)}")
    by_seed: dict[int, list[str]] = {}
    for run in runs:
        if run.seed is not None:
            by_seed.setdefault(run.seed, []).append(shown(run.folder))
    shared = [f"{' and '.join(f)} have seed {s}" for s, f in by_seed.items() if len(f) > 1]
    if shared:
        raise UsageError(f"seeds must differ, since they name the records; {'; '.join(shared)}")


def record(run: Run, folder: Path) -> tuple[Path, str]:
    """Return the path and the text of a run's record.

    Raises:
        UsageError: the run was not tested, has no seed, or another run is kept at its path.
    """
    path = folder / f"{run.seed_name}.json"
    if run.seed is None:
        raise UsageError(f"{shown(run.folder)}: its seed, which names the record, is unknown")
    try:
        text = record_of(run)
    except Unreadable as reason:
        raise UsageError(f"{shown(run.folder)} {reason}") from reason
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise UsageError(f"{shown(path)} belongs to another run; remove it to replace it")
    return path, text
