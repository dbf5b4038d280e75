"""``keep``: the record of a run that counts, as a small file for the repository."""

from pathlib import Path

from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.kept import keep as keep_record
from lightning_modules.records.problems import NoRuns, Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder, shown

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
    if not found.runs:
        raise UsageError("no run has results that can be read")
    for run in found.runs:
        keep_one(run, given.to / benchmark / model)


def keep_one(run: Run, folder: Path) -> None:
    """Keep one run's record, under its seed.

    Raises:
        UsageError: the run was not tested, has no seed, or another run has this seed already.
    """
    path = folder / f"{run.seed_name}.json"
    if run.seed is None:
        raise UsageError(f"{shown(run.folder)}: its seed is not known, which names the record")
    if path.exists():
        raise UsageError(f"{shown(path)} is there already; remove it to replace it")
    try:
        keep_record(RunFolder(run.folder), path)
    except Unreadable as reason:
        raise UsageError(f"{shown(run.folder)} {reason}") from reason
    print(f"Kept {shown(run.folder)} as {shown(path)}")
