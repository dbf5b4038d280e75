"""Damaged run folders beside good ones, as `compare`, `compare --live` and `keep` see them.

    python -m tests.fuzzing.run_folders --count 20000

In each case one run is damaged. The others must be shown, the damaged one must be shown or named,
and nothing may raise, hang, or need the guard that is the last resort.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from cli import ExperimentCLI
from lightning_modules.command_line import compare
from lightning_modules.records.kept import record_of
from lightning_modules.records.problems import LAST_RESORT, Unreadable
from lightning_modules.records.reader import Found
from lightning_modules.records.run_folder import write_json
from lightning_modules.report.live import LivePage
from lightning_modules.report.page import content_of, encoded
from tests.cli.commands import SHORT_FRAMES, SMALL_CONTROLLER, TINY
from tests.fuzzing.folders import damage

#: Seconds after which a case counts as one that hangs.
PATIENCE = 60
SEEDS = (0, 1)


class Outcome(NamedTuple):
    """How one case ended."""

    case: int
    damage: str
    kind: str  #: "shown", "shown, with a line", "left out", "last resort", or a failure
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether a user would have seen a traceback, or missed a run."""
        return self.kind.startswith("FAILED")


def make_runs(root: Path) -> list[Path]:
    """Train and test a small run, and copy it with another seed."""
    options = (
        *("--config=conf/dnc_gtmm_maze.yaml", "--model.memory=NTM", *TINY, *SHORT_FRAMES),
        *(*SMALL_CONTROLLER, "--data.source=mnist5k", "--trainer.max_steps=4"),
        *("--trainer.val_check_interval=1", f"--trainer.default_root_dir={root}", "--run=r"),
    )
    ExperimentCLI(["fit", *options])
    made = root / "dnc_gtmm_maze" / "r"
    ExperimentCLI(["test", f"--ckpt_path={made / 'checkpoints/last.ckpt'}"])
    for unread in ("checkpoints", "tensorboard", "wandb"):
        shutil.rmtree(made / unread, ignore_errors=True)
    folders = [made.with_name(f"r{seed}") for seed in SEEDS]
    for seed, folder in zip(SEEDS, folders, strict=True):
        shutil.copytree(made, folder)
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        write_json(folder / "results.json", {**results, "seed": seed})
    return folders


def strip(folder: Path) -> None:
    """Leave a good run what is read fast."""
    shutil.rmtree(folder / "pictures")
    (folder / "memory_film.npz").unlink()


def run_case(case: int, good: list[Path], example: Path, work: Path, seed: int) -> Outcome:
    """Damage a copy of a run beside the good ones, and look at all of them in every way."""
    random = Random(f"{seed} {case}")
    with victim_of(example, work, random) as victim:
        said = damage(victim, random)
        try:
            with limited(PATIENCE):
                return Outcome(case, said, *looked_at(good, victim, random))
        except Exception as failure:  # what the fuzzer is for
            where = traceback.extract_tb(failure.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            return Outcome(case, said, f"FAILED: {type(failure).__name__} in {place}", str(failure))


@contextlib.contextmanager
def victim_of(example: Path, work: Path, random: Random) -> Iterator[Path]:
    """Copy a run; one in ten lacks its test, and one in ten has a name that is hard to write."""
    name = random.choice((*["victim"] * 9, "<b>größer → & 'x'", os.fsdecode(b"\xff\xfe x")))
    folder = work / "experiment" / name
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(example, folder)
    if random.random() < 0.2:
        (folder / "results.json").unlink()
    yield folder
    shutil.rmtree(work, ignore_errors=True)


def looked_at(good: list[Path], victim: Path, random: Random) -> tuple[str, str]:
    """Look at all runs, and tell what became of the damaged one."""
    folders = [*good, victim.parent]
    # A whole page is mostly Plotly's script, and slow to put together.
    whole = random.random() < 0.02
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = compare.read(folders)
        others = [run for run in found.runs if run.folder not in good]
        if whole:
            page = LivePage(folders).content()
        else:
            page = content_of(found if others else Found([], found.problems))
        if whole or others:
            draw(found, figure=whole)
    encoded(page)
    ours = [run for run in found.runs if run.folder in good]
    if len(ours) < len(good):
        raise AssertionError("a good run is missing")
    if (whole or others) and any(f">{run.name}</span></th>" not in page for run in ours):
        raise AssertionError("a good run is not on the page")
    for run in others:
        with contextlib.suppress(Unreadable):
            json.loads(record_of(run), parse_constant=refuse)
    lines = [problem.reason for problem in found.problems]
    if not others and not lines:
        raise AssertionError("the damaged run is neither shown nor named")
    guarded = [line for line in lines if LAST_RESORT in line]
    if guarded or LAST_RESORT in page:
        return "last resort", "; ".join(guarded) or "in the page"
    named = page.count("<li><code>") if others else len(lines)
    return ("shown, with a line" if named else "shown") if others else "left out", "; ".join(lines)


def draw(found: Found, figure: bool) -> None:
    """Make the table, and draw the figure, which takes longest, of some cases."""
    with contextlib.suppress(compare.UsageError):
        if figure:
            compare.comparison(found, None).figure.savefig(io.BytesIO())
        benchmark = compare.the_benchmark(found)
        compare.table_of(benchmark, compare.tested_groups(benchmark.runs))


def refuse(constant: str) -> None:
    """JSON has no NaN."""
    raise AssertionError(f"{constant} in a record")


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """End what hangs."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError("hangs")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def run_cases(cases: range, runs: list[Path], work: Path, seed: int = 0) -> list[Outcome]:
    """Run cases, each on a fresh copy of the last run, beside the others."""
    *good, example = runs
    for folder in good:
        strip(folder)
    with warnings.catch_warnings(action="ignore"):
        return [run_case(case, good, example, work, seed) for case in cases]


def main() -> None:
    """Run the cases, and print a summary; the status is 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        cases = range(given.first, given.first + given.count)
        with contextlib.redirect_stdout(io.StringIO()):
            runs = make_runs(Path(root) / "runs")
        outcomes = run_cases(cases, runs, Path(root) / "work", given.seed)
    for kind, count in Counter(outcome.kind for outcome in outcomes).most_common():
        print(f"{count:6}  {kind}")
        for each in [o for o in outcomes if o.kind == kind and (o.failed or "last" in kind)][:3]:
            print(f"        case {each.case}: {each.damage}: {each.detail[:200]}")
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"{given.count} cases in {time.monotonic() - start:.0f} s, {failed} failed")
    sys.exit(int(failed > 0))


if __name__ == "__main__":
    main()
