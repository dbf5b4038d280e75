"""``reproduce``: train what a paper's claim needs, and say whether it holds."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.command_parser import CommandParser, require_posix
from lightning_modules.command_line.comparison_figure import (
    comparison_figure,
    sizes_figure,
    training_figure,
)
from lightning_modules.command_line.configurations import find
from lightning_modules.command_line.reproduce.side_by_side import side_by_side
from lightning_modules.command_line.sweep.command import (
    announce,
    carry_out,
    positive,
    status_of,
)
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.pictures.style import save
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.claim_results import SIZES, write_claim_results
from lightning_modules.records.groups import Group, by_group
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown, write_text

if TYPE_CHECKING:
    from lightning_modules.command_line.reproduce.claim_file import Claim
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns, Judged

DESCRIPTION = """\
Train what a claim of the papers needs, and say whether it holds.

A claim's file, conf/claims/A2.yaml, has its statements, each an inequality with a
margin, and the sweeps that train its runs. Runs that are kept in docs/records or that
another claim has trained are not trained again. Repeat the same command after any
interruption, and it goes on.

The verdict is printed and written to docs/claims/A2, with the claim's figure:
holds, fails, undecided (more seeds may decide) or open (runs are missing).
Seeds are fixed beforehand; --seeds 5, and then 8, adds more where 3 were too few.

  --status     where each claim stands by the runs so far, and what it would still
               cost; trains nothing. With --all and --out docs/claims, rewrites
               docs/claims.md
  --dry_run    what would be trained"""
RECORDS = Path("docs/records")


def reproduce(args: list[str]) -> None:
    """Train what a claim of the papers needs, and say whether it holds.

    Args:
        args: names of claims, and options.
    """
    given = parse(args)
    require_posix("reproduce")
    # Optuna is slow to import: other commands do without it.
    from lightning_modules.command_line.reproduce.claim_file import find_claims
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns

    claims = find_claims(find(given.claims), given.names)
    out = given.out or Path("docs/claims")
    if given.status:
        show_status(claims, given, out)
        return
    again, status = f"{program()} reproduce {shlex.join(args)}", 0
    for claim in claims:
        needed = ClaimRuns(claim, given.scale, given.seeds, out)
        if given.dry_run:
            foresee(needed, given.records)
        else:
            status = carry_out_claim(needed, given, again) or status
    if status:
        sys.exit(status)


def carry_out_claim(needed: "ClaimRuns", given: Namespace, again: str) -> int:
    """Train and judge a claim; returns the exit status that says how its sweeps ended."""
    from lightning_modules.command_line.reproduce.claim_document import spoken

    if not needed.claim.statements:
        print(f"{needed.claim.name}: nothing is trained. Not measured yet: {needed.claim.missing}")
        return 0
    kept = needed.kept(given.records)
    executions = carry_out(needed.plans, None, given.jobs, True, kept, again)
    status = next(filter(None, map(status_of, executions)), 0)
    if executions[-1].stop:
        sys.exit(status)
    judged, runs = needed.trained(executions)
    write(needed, judged, runs)
    print(f"\n{spoken(judged)}\nThe report is {shown(needed.report)}")
    return status


def write(needed: "ClaimRuns", judged: "Judged", runs: dict[tuple[str, str], list[Run]]) -> None:
    """Write a claim's results, its figures and its report."""
    from lightning_modules.command_line.reproduce.claim_document import report

    folder = needed.out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(each.quantity.measure not in SIZES for each in judged.claim.statements):
            timed = any(each.quantity.reaches is not None for each in judged.claim.statements)
            draw(runs, folder, timed)
        write_claim_results(needed.written, judged.scale.name, judged.results, judged.judgements)
        write_text(needed.report, report(judged, needed.figures(), folder))
    except OSError as failure:
        raise UsageError(f"--out: cannot write {shown(folder)}: {failure.strerror}") from failure


def draw(runs: dict[tuple[str, str], list[Run]], folder: Path, timed: bool) -> None:
    """Draw all models of a claim in the same pictures, for each benchmark.

    Tests by step of a sequence are in ``figure.png``, by the size of the memory in
    ``figure_sizes.png``, if models differ in it; validations in the course of training in
    ``figure_training.png``; and what models with a checkpoint on disk make of the first test
    sequence in figures that the family names, which stay where these checkpoints are gone. Of
    several benchmarks each has its name before the ending.

    Args:
        runs: by benchmark and model.
        folder: where pictures go.
        timed: whether the claim is about the time of training.
    """
    benchmarks = dict.fromkeys(data for data, _ in runs)
    for data in benchmarks:
        models = [several for (of, _), several in runs.items() if of == data]
        groups = as_groups(models)
        benchmark = by_benchmark([run for several in models for run in several])[0]
        figures = {
            "figure": comparison_figure(benchmark, groups, None),
            "figure_sizes": sizes_figure(benchmark, groups),
            "figure_training": training_figure(benchmark, groups, in_seconds=timed),
            **{f"figure_{name}": figure for name, figure in side_by_side(groups)},
        }
        end = f"_{data}.png" if len(benchmarks) > 1 else ".png"
        for name, figure in figures.items():
            if figure is None:
                (folder / f"{name}{end}").unlink(missing_ok=True)
            else:
                save(figure, folder / f"{name}{end}")


def as_groups(models: Sequence[Sequence[Run]]) -> list[Group]:
    """Make a group of each model's runs, labelled by what tells their first runs apart.

    Runs of a claim are repetitions by its file, also where records of different versions differ in
    what they say of settings.
    """
    whole = {several[0].folder: list(several) for several in models}
    groups = by_group([several[0] for several in models])
    return [group._replace(runs=whole[group.runs[0].folder]) for group in groups]


def foresee(needed: "ClaimRuns", records: Sequence[Path]) -> None:
    """Say what would be trained, and what it would cost."""
    kept, runs = needed.kept(records), [run for plan in needed.plans for run in plan.runs()]
    announce(needed.plans, kept)
    left = [run for run in runs if not run.folder.results.exists() and not kept.find(run.arguments)]
    cost = f"about {needed.scale.hours_of(len(left)):.1f} hours on two cores"
    print(f"{needed.claim.name}: {len(left)} of {len(runs)} runs are to be trained, {cost}")


def show_status(claims: Sequence["Claim"], given: Namespace, out: Path) -> None:
    """Say where claims stand, and write the document if it is asked for."""
    from lightning_modules.command_line.reproduce.claim_document import document, line
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns, folder_of
    from lightning_modules.command_line.sweep.kept_runs import KeptRuns

    kept, found = KeptRuns(*given.records), []
    for claim in claims:
        for scale in claim.scales:
            if scale == given.scale or folder_of(claim, scale, out).exists():
                needed = ClaimRuns(claim, scale, given.seeds, out)
                judged = needed.known(kept)
                found.append((judged, needed.figures()))
                print(line(judged), flush=True)
    if given.out is not None and given.all:
        path = out.with_suffix(".md")
        write_text(path, document(found, path.parent))
        print(f"The document is {shown(path)}")


def parse(args: list[str]) -> Namespace:
    """Read the command line.

    Raises:
        UsageError: options do not go together.
    """
    made = reproduce_parser()
    given = made.parse(args)
    if bool(given.names) == given.all:
        made.error(f"name a claim, such as A2, or --all, got {' '.join(given.names) or 'neither'}")
    if given.status and given.dry_run:
        made.error("--status: trains nothing; leave --dry_run out")
    # In a new folder nothing is kept yet.
    given.records = [given.records] if given.records else [*filter(Path.exists, [RECORDS])]
    return given


def reproduce_parser() -> CommandParser:
    """The claims, and how they are run."""
    made = CommandParser("reproduce", DESCRIPTION)
    made.add_argument("names", nargs="*", metavar="CLAIM", help="such as A2")
    made.add_argument("--all", action="store_true", help="every claim, in the order of their names")
    made.add_argument("--status", action="store_true", help="only say where claims stand")
    made.add_argument("--dry_run", action="store_true", help="only say what would be trained")
    made.add_argument("--scale", choices=("cpu", "paper"), default="cpu", help="default: cpu")
    made.add_argument(
        "--seeds",
        type=positive,
        metavar="NUMBER",
        help="3, 5 or 8; at paper scale also 20 (default: 3, or as many as before)",
    )
    made.add_argument(
        "--jobs", type=positive, default=1, metavar="NUMBER", help="runs at a time (default: 1)"
    )
    made.add_argument(
        "--claims",
        type=Path,
        default=Path("conf/claims"),
        metavar="FOLDER",
        help="folder of the claims' files (default: %(default)s)",
    )
    made.add_argument("--records", type=Path, metavar="FOLDER", help=f"default: {RECORDS}")
    made.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder to write to (default: docs/claims)"
    )
    return made
