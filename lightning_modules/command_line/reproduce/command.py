"""``reproduce``: trains the runs that a paper's claim needs, and judges the claim."""

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
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.claim_results import SIZES, write_claim_results
from lightning_modules.records.groups import Group, by_group
from lightning_modules.records.picture_file import save_picture
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown, write_text

if TYPE_CHECKING:
    from lightning_modules.command_line.reproduce.claim_file import Claim
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns, Judged

DESCRIPTION = """\
Train the runs that a claim of the papers needs, and judge whether it holds.

A claim's file, such as conf/claims/A2.yaml, lists statements, each an inequality with
a margin, and the sweeps that train its runs. Runs kept in docs/records or trained for
another claim are not trained again. After an interruption, repeat the same command to
continue.

The verdict is printed and written to docs/claims/A2, with the claim's figure:
holds, fails, undecided (more seeds may decide) or open (runs are missing).
Seeds are fixed beforehand; --seeds 5, and then 8, adds more where 3 were too few.

  --status     each claim's state by the runs so far, and its remaining
               cost; trains nothing. With --all and --out docs/claims, rewrites
               docs/claims.md, and the results and reports that are there
  --dry_run    list what would be trained"""
RECORDS = Path("docs/records")


def reproduce(args: list[str]) -> None:
    """Train the runs that a claim of the papers needs, and judge whether it holds.

    Args:
        args: names of claims, and options.
    """
    options = parse(args)
    require_posix("reproduce")
    # Imported here because Optuna is slow to import.
    from lightning_modules.command_line.reproduce.claim_file import find_claims
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns

    claims = find_claims(find(options.claims), options.names)
    out = options.out or Path("docs/claims")
    if options.status:
        show_status(claims, options, out)
        return
    again, status = f"{program()} reproduce {shlex.join(args)}", 0
    for claim in claims:
        claim_runs = ClaimRuns(claim, options.scale, options.seeds, out)
        if options.dry_run:
            preview(claim_runs, options.records)
        else:
            status = carry_out_claim(claim_runs, options, again) or status
    if status:
        sys.exit(status)


def carry_out_claim(claim_runs: "ClaimRuns", options: Namespace, again: str) -> int:
    """Train and judge a claim, and return the exit status of its sweeps."""
    from lightning_modules.command_line.reproduce.claim_document import judgement_text

    if not claim_runs.claim.statements:
        claim = claim_runs.claim
        print(f"{claim.name}: nothing to train. Not measured yet: {claim.missing}")
        return 0
    kept = claim_runs.kept(options.records)
    executions = carry_out(claim_runs.plans, None, options.jobs, True, kept, again)
    status = next(filter(None, map(status_of, executions)), 0)
    if executions[-1].stop:
        sys.exit(status)
    judged, runs = claim_runs.trained(executions, kept)
    write(claim_runs, judged, runs)
    print(f"\n{judgement_text(judged)}\nThe report is {shown(claim_runs.report)}")
    return status


def write(
    claim_runs: "ClaimRuns", judged: "Judged", runs: dict[tuple[str, str], list[Run]]
) -> None:
    """Write a claim's results, its figures and its report."""
    folder = claim_runs.out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Stored results have no curves, so figures without their runs would show too little.
        all_here = sum(map(len, runs.values())) == len(judged.results.scores)
        measured = any(each.quantity.measure not in SIZES for each in judged.claim.statements)
        if all_here and measured:
            timed = any(each.quantity.reaches is not None for each in judged.claim.statements)
            draw(runs, folder, timed)
        write_numbers(claim_runs, judged)
    except OSError as failure:
        raise UsageError(f"--out: cannot write {shown(folder)}: {failure.strerror}") from failure


def write_numbers(claim_runs: "ClaimRuns", judged: "Judged") -> None:
    """Write a claim's results and its report."""
    from lightning_modules.command_line.reproduce.claim_document import report

    write_claim_results(claim_runs.written, judged.scale.name, judged.stored, judged.judgements)
    write_text(claim_runs.report, report(judged, claim_runs.figures(), claim_runs.out))


def draw(runs: dict[tuple[str, str], list[Run]], folder: Path, timed: bool) -> None:
    """Draw all models of a claim in the same figures, for each benchmark.

    ``figure.png`` shows tests by step of a sequence, ``figure_sizes.png`` tests by memory size, if
    models differ in it, and ``figure_training.png`` validations during training. The family's own
    figures show what models with a checkpoint on disk make of the first test sequence; existing
    ones stay if the checkpoints are gone. With several benchmarks, file names end in theirs.

    Args:
        runs: by benchmark and model.
        folder: where figures go.
        timed: whether the claim is about the time of training.
    """
    benchmarks = dict.fromkeys(data for data, _ in runs)
    for data in benchmarks:
        models = [repeats for (name, _), repeats in runs.items() if name == data]
        groups = as_groups(models)
        benchmark = by_benchmark([run for repeats in models for run in repeats])[0]
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
                save_picture(figure, folder / f"{name}{end}")


def as_groups(models: Sequence[Sequence[Run]]) -> list[Group]:
    """Group each model's runs, labelled by what distinguishes their first runs.

    A claim's file defines which runs are repetitions, even if records of different versions differ
    in their settings.
    """
    by_folder = {repeats[0].folder: list(repeats) for repeats in models}
    groups = by_group([repeats[0] for repeats in models])
    return [group._replace(runs=by_folder[group.runs[0].folder]) for group in groups]


def preview(claim_runs: "ClaimRuns", records: Sequence[Path]) -> None:
    """Print what would be trained, and the cost."""
    kept, runs = claim_runs.kept(records), [run for plan in claim_runs.plans for run in plan.runs()]
    announce(claim_runs.plans, kept)
    missing = [
        run for run in runs if not run.folder.results.exists() and not kept.find(run.arguments)
    ]
    cost = f"about {claim_runs.scale.hours_of(len(missing)):.1f} hours on two cores"
    print(f"{claim_runs.claim.name}: {len(missing)} of {len(runs)} runs to train, {cost}")


def show_status(claims: Sequence["Claim"], options: Namespace, out: Path) -> None:
    """Print the state of claims, and write their results and the document if requested."""
    from lightning_modules.command_line.reproduce.claim_document import document, line
    from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns, folder_of
    from lightning_modules.command_line.sweep.kept_runs import KeptRuns

    writes = options.out is not None and options.all
    kept, entries = KeptRuns(*options.records), []
    for claim in claims:
        for scale in claim.scales:
            if scale == options.scale or folder_of(claim, scale, out).exists():
                claim_runs = ClaimRuns(claim, scale, options.seeds, out)
                judged = claim_runs.judged_so_far(kept)
                entries.append((judged, claim_runs.figures()))
                print(line(judged), flush=True)
                if writes and claim_runs.out.exists():
                    write_numbers(claim_runs, judged)
    if writes:
        path = out.with_suffix(".md")
        write_text(path, document(entries, path.parent))
        print(f"The document is {shown(path)}")


def parse(args: list[str]) -> Namespace:
    """Read the command line.

    Raises:
        UsageError: options contradict each other.
    """
    command = reproduce_parser()
    options = command.parse(args)
    if bool(options.names) == options.all:
        command.error(
            f"name a claim, such as A2, or --all, got {' '.join(options.names) or 'neither'}"
        )
    if options.status and options.dry_run:
        command.error("--status: trains nothing; leave --dry_run out")
    # A new working folder has no records yet.
    options.records = [options.records] if options.records else [*filter(Path.exists, [RECORDS])]
    return options


def reproduce_parser() -> CommandParser:
    """Return the parser of the command line."""
    command = CommandParser("reproduce", DESCRIPTION)
    command.add_argument("names", nargs="*", metavar="CLAIM", help="such as A2")
    command.add_argument(
        "--all", action="store_true", help="all claims, in the order of their names"
    )
    command.add_argument("--status", action="store_true", help="only print the state of claims")
    command.add_argument("--dry_run", action="store_true", help="only list what would be trained")
    command.add_argument("--scale", choices=("cpu", "paper"), default="cpu", help="default: cpu")
    command.add_argument(
        "--seeds",
        type=positive,
        metavar="NUMBER",
        help="3, 5 or 8; at paper scale also 20 (default: 3, or as many as before)",
    )
    command.add_argument(
        "--jobs", type=positive, default=1, metavar="NUMBER", help="runs at a time (default: 1)"
    )
    command.add_argument(
        "--claims",
        type=Path,
        default=Path("conf/claims"),
        metavar="FOLDER",
        help="folder of the claims' files (default: %(default)s)",
    )
    command.add_argument("--records", type=Path, metavar="FOLDER", help=f"default: {RECORDS}")
    command.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder to write to (default: docs/claims)"
    )
    return command
