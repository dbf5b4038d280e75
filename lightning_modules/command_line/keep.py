"""``keep``: the record of a run that counts, as a small file for the repository."""

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
Keep the test results of runs, one small file for each:
docs/records/BENCHMARK/MODEL/SEED.json. `compare` reads such files, and folders
of them, as it reads runs.

Without --name, runs of a table are kept under the names of their folders; those
that are kept already or have not been tested yet are left alone."""
#: Folders of a table's runs: files of the benchmark and of the model, and the seed between them.
OF_TABLE = re.compile(r"(\w+)-seed\d+-(\w+)")


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
        metavar="BENCHMARK/MODEL",
        help="name to keep them under, such as maze/dnc_gtmm; default: those in the names of a "
        "table's runs",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("docs/records"),
        metavar="FOLDER",
        help="folder of records (default: %(default)s)",
    )
    given = parser.parse(args)
    try:
        found = read_runs(given.runs)
    except NoRuns as reason:
        raise UsageError(str(reason)) from reason
    for problem in found.problems:
        print(f"skipped: {shown(problem.path)} {problem.reason}", file=sys.stderr)
    if given.name is None:
        kinds = by_name(run for run in found.runs if run.tested is not None)
    else:
        kinds = {name_of(given.name): found.runs}
    texts = []
    for name, runs in kinds.items():
        require_repetitions(runs)
        texts += [record(run, given.to / name) for run in runs]
    for path, text in texts:  # all of them could be read
        if not path.exists():
            keep_record(text, path)
            print(f"Kept {shown(path)}")


def name_of(name: str) -> Path:
    """Return the folder that a name stands for.

    Raises:
        UsageError: the name is not of the form BENCHMARK/MODEL.
    """
    benchmark, _, model = name.partition("/")
    if not (benchmark and model) or "/" in model or ".." in (benchmark, model):
        raise UsageError(f"--name: must be BENCHMARK/MODEL, such as maze/dnc_gtmm, got {name}")
    return Path(benchmark, model)


def by_name(runs: Iterable[Run]) -> dict[Path, list[Run]]:
    """Sort runs of a table by the benchmark and the model that their folders name.

    Raises:
        UsageError: a folder's name is not of a table's run.
    """
    found: dict[Path, list[Run]] = {}
    for run in runs:
        named = OF_TABLE.fullmatch(run.folder.name)
        if named is None:
            raise UsageError(f"--name: is missing; {shown(run.folder)} is not a run of a table")
        found.setdefault(Path(named[1], named[2]), []).append(run)
    return found


def require_repetitions(runs: Sequence[Run]) -> None:
    """Refuse runs that one name cannot stand for.

    Raises:
        UsageError: there are none, or they differ in more than their seeds.
    """
    if not runs:
        raise UsageError("no run has results that can be read")
    if len(by_benchmark(runs)) > 1:
        raise UsageError("--name: these runs are from several benchmarks; keep them one by one")
    labels = [group.label for group in by_group(runs)]
    if len(labels) > 1:
        raise UsageError(f"--name: these runs differ in more than their seeds: {', '.join(labels)}")
    seeds = [run.seed for run in runs]
    if len(set(seeds)) < len(seeds):
        raise UsageError(
            "seeds must differ, since they name the records; some of these runs share one"
        )


def record(run: Run, folder: Path) -> tuple[Path, str]:
    """Return where a run's record goes, and its text.

    Raises:
        UsageError: the run was not tested, has no seed, or another run is kept there.
    """
    path = folder / f"{run.seed_name}.json"
    if run.seed is None:
        raise UsageError(f"{shown(run.folder)}: its seed, which names the record, is not known")
    try:
        text = record_of(run)
    except Unreadable as reason:
        raise UsageError(f"{shown(run.folder)} {reason}") from reason
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise UsageError(f"{shown(path)} belongs to another run; remove it to replace it")
    return path, text
