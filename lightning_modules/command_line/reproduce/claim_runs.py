"""The runs of a claim at one scale: which exist, which are missing, and how they judge it."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lightning_modules.command_line.reproduce.claim_file import (
    FIRST_SEEDS,
    SEED,
    Claim,
    Scale,
    contestant,
)
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.claim_results import (
    ClaimResults,
    Diverged,
    Score,
    by_seed,
    joined,
    matching,
    read_claim_results,
    score_of,
    seeds_without,
    times_by_seed,
    used_test_sets,
)
from lightning_modules.records.problems import NotFinite, Unreadable
from lightning_modules.records.reaching import Times
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run, read_results
from lightning_modules.records.run_folder import shown
from lightning_modules.records.statements import Judgement, Quantity, judge, verdict_in_words

if TYPE_CHECKING:
    from lightning_modules.command_line.sweep.execution import Execution, Outcome

#: Numbers of seeds: a claim begins with the first; the last is a paper's number of replicas.
STAGES = (FIRST_SEEDS, 5, 8, 20)
#: Prefix of the folders of claims' runs: claims_A2_cpu.
OURS = "claims_"
RESULTS, REPORT, FIGURES = "results.json", "report.md", "figure*.png"


class NeededRun(NamedTuple):
    """A run that a claim needs."""

    data: str
    model: str
    seed: int

    def __str__(self) -> str:
        """Describe it in words."""
        return f"{self.model} on {self.data}, seed {self.seed}"


class Judged(NamedTuple):
    """A claim at one scale, with its results so far."""

    claim: Claim
    scale: Scale
    results: ClaimResults  #: those that it is judged by
    stored: ClaimResults  #: to store: also of seeds beyond the requested ones
    judgements: list[Judgement]
    missing: list[str]  #: names of runs that have not ended

    @property
    def verdict(self) -> str:
        """The claim's verdict, with the number of its statements if some are not judged."""
        return verdict_in_words(self.judgements)

    @property
    def hours(self) -> float:
        """Cost of the missing runs, in hours on two cores."""
        return self.scale.hours_of(len(self.missing))


class ClaimRuns:
    """The runs that a claim needs at one scale.

    Args:
        claim: content of its file.
        scale: cpu or paper.
        seeds: how many; default: the first stage, or as many as before.
        out: folder of all claims' results.

    Raises:
        UsageError: the claim has no such scale, or no such seeds.
    """

    def __init__(self, claim: Claim, scale: str, seeds: int | None, out: Path) -> None:
        if scale not in claim.scales:
            raise UsageError(
                f"--scale: {claim.name} has no {scale}; valid: {', '.join(claim.scales)}"
            )
        self.claim, self.scale = claim, claim.scales[scale]
        self.out = folder_of(claim, scale, out)
        self.seeds = self._seeds(seeds)
        self.sweeps = self.scale.with_seeds(self.seeds)

    @cached_property
    def plans(self) -> list[Plan]:
        """Plans of the sweeps; building their models takes a second or two."""
        name = f"{OURS}{self.claim.name}_{self.scale.name}"
        return [
            Plan(sweep, [f"--experiment={name}{'' if i == 1 else f'_{i}'}"])
            for i, sweep in enumerate(self.sweeps, 1)
        ]

    def needed(self) -> dict[NeededRun, list[str]]:
        """Return the needed runs with their ``fit`` options, a sweep's first seed first."""
        return {
            run_with(values): sweep.words(values)
            for sweep in self.sweeps
            for values in islice(sweep.combinations(), sweep.run_cap)
        }

    def kept(self, records: Sequence[Path]) -> KeptRuns:
        """Return the runs to reuse: kept records, and other claims' runs in the same place."""
        own = {plan.folder for plan in self.plans}
        of_claims = {path for folder in own for path in folder.parent.glob(f"{OURS}*")}
        return KeptRuns(*records, *sorted(of_claims - own))

    @property
    def written(self) -> Path:
        """Path of the claim's results."""
        return self.out / RESULTS

    @property
    def report(self) -> Path:
        """Path of the claim's report."""
        return self.out / REPORT

    def figures(self) -> list[Path]:
        """List the files of the claim's figures."""
        return sorted(self.out.glob(FIGURES))

    def trained(
        self, executions: "Sequence[Execution]", kept: KeptRuns
    ) -> tuple[Judged, dict[tuple[str, str], list[Run]]]:
        """Judge the claim by the results of its sweeps, and by stored ones of other runs.

        Args:
            executions: of all plans.
            kept: the runs that were reused.

        Returns:
            the judged claim; the runs by benchmark and model.
        """
        outcomes = [outcome for execution in executions for outcome in execution.outcomes]
        done = {each.run.folder.path: run_with(each.run.proposal.values) for each in outcomes}
        here = read_runs(path for path in done if path.is_dir()).runs
        runs = {done[run.folder]: run for run in here if run.tested is not None}
        runs |= {done[each.run.folder.path]: each.record for each in outcomes if each.record}
        ended = {done[each.run.folder.path]: each for each in outcomes}
        diverged = {run for run in ended.keys() - runs.keys() if has_diverged(ended[run])}
        of_model: dict[tuple[str, str], list[Run]] = {}
        for each in self.needed():
            if each in runs:
                of_model.setdefault((each.data, each.model), []).append(runs[each])
        return self.judged(runs, diverged, kept), of_model

    def judged_so_far(self, kept: KeptRuns) -> Judged:
        """Judge the claim by kept records and stored results."""
        records = {each: kept.find(words) for each, words in self.needed().items()}
        return self.judged({each: run for each, run in records.items() if run}, (), kept)

    def judged(
        self, runs: Mapping[NeededRun, Run], diverged: Collection[NeededRun], kept: KeptRuns
    ) -> Judged:
        """Judge the claim.

        Stored results of other runs count if these had the settings that the claim's runs have now.

        Args:
            runs: results that are available here.
            diverged: runs that diverged here.
            kept: computes the hashes of settings.

        Raises:
            UsageError: results of a benchmark are on several test sets.
        """
        needed, statements = self.needed(), self.claim.statements
        settings = {each[:2]: kept.settings_hash(words) for each, words in needed.items()}
        current = ClaimResults(
            self.seeds,
            [
                score_of(run, each.data, each.model, statements, settings[each[:2]])
                for each, run in runs.items()
            ],
            [Diverged(*each, settings[each[:2]]) for each in needed if each in diverged],
        )
        before = self._before()
        known = current if before is None else joined(matching(before, settings), current)
        results = self._of_needed(known)
        self._require_one_test_set(results.scores)
        have = {each[:3] for each in (*results.scores, *results.diverged)}
        missing = [str(each) for each in needed if each not in have]
        return Judged(
            self.claim,
            self.scale,
            results,
            joined(known, results),
            self._judgements(results),
            missing,
        )

    def _of_needed(self, results: ClaimResults) -> ClaimResults:
        """Select the results of the needed runs, in their order."""
        scores = {each[:3]: each for each in results.scores}
        diverged = {each[:3]: each for each in results.diverged}
        needed = self.needed()
        return ClaimResults(
            self.seeds,
            [scores[each] for each in needed if each in scores],
            [diverged[each] for each in needed if each in diverged],
        )

    def _judgements(self, results: ClaimResults) -> list[Judgement]:
        def numbers(quantity: Quantity, model: str, data: str) -> Mapping[int | None, float]:
            return by_seed(results.scores, quantity, model, data)

        def clocks(quantity: Quantity, model: str, data: str) -> Times:
            return times_by_seed(results.scores, quantity, model, data)

        def gaps(quantity: Quantity, model: str, data: str) -> Collection[int]:
            return seeds_without(results, quantity, model, data)

        benchmarks = list(dict.fromkeys(each.data for each in self.needed()))
        return judge(self.claim.statements, benchmarks, numbers, clocks, gaps)

    def _require_one_test_set(self, scores: Sequence[Score]) -> None:
        """Reject scores that would be compared, but are on different test sets."""
        for data, names in used_test_sets(scores).items():
            if len(names) > 1:
                raise UsageError(
                    f"{self.claim.name}: runs on {data} were tested on {' and on '.join(names)}; "
                    f"those of {shown(self.written)} may be from another machine: name another "
                    "folder with --out"
                )

    def _before(self) -> ClaimResults | None:
        if not self.written.exists():
            return None
        try:
            return read_claim_results(self.written)
        except Unreadable as reason:
            raise UsageError(f"--out: {shown(self.written)} {reason}") from reason

    def _seeds(self, count: int | None) -> int:
        valid = [stage for stage in STAGES if stage <= len(self.scale.seeds)]
        if count is None:
            before = self._before()
            count = valid[0] if before is None else before.seeds
        if count not in valid:
            names = ", ".join(map(str, valid))
            raise UsageError(
                f"--seeds: {self.claim.name} has {len(self.scale.seeds)} at {self.scale.name} "
                f"scale, taken in stages, got {count}; valid: {names}"
            )
        return count


def run_with(values: Mapping[str, Any]) -> NeededRun:
    """Return the needed run with these values."""
    return NeededRun(*contestant(values), values[SEED])


def has_diverged(outcome: "Outcome") -> bool:
    """Return whether a run diverged, in training or unnoticed until its test."""
    if outcome.how != "finished":
        return outcome.how == "diverged"
    try:
        read_results(outcome.run.folder.results)
    except NotFinite:
        return True
    except Unreadable:
        pass
    return False


def folder_of(claim: Claim, scale: str, out: Path) -> Path:
    """Return the folder of a claim's results: docs/claims/A2, at paper scale A2_paper."""
    return out / (claim.name if scale == "cpu" else f"{claim.name}_{scale}")
