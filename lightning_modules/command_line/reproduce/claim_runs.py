"""Runs of a claim at one scale: which there are, which are missing, and what they say."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lightning_modules.command_line.reproduce.claim_file import (
    FIRST_SEEDS,
    Claim,
    Scale,
    contestant,
)
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from lightning_modules.command_line.sweep.plan import Plan, PlannedRun
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.claim_results import (
    ClaimResults,
    Score,
    by_seed,
    joined,
    read_claim_results,
    score_of,
)
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown
from lightning_modules.records.statements import Judgement, Quantity, Verdict, heaviest, judge

if TYPE_CHECKING:
    from lightning_modules.command_line.sweep.execution import Execution

#: Numbers of seeds: a claim begins with the first; the last is that of a paper's replicas.
STAGES = (FIRST_SEEDS, 5, 8, 20)
#: Folders of claims' runs begin with it: claims_A2_cpu.
OURS = "claims_"
RESULTS, REPORT, FIGURES = "results.json", "report.md", "figure*.png"


class Wanted(NamedTuple):
    """A run that a claim needs."""

    planned: PlannedRun
    data: str
    model: str
    seed: int

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.model} on {self.data}, seed {self.seed}"


class Judged(NamedTuple):
    """A claim at one scale, and what is known of it."""

    claim: Claim
    scale: Scale
    results: ClaimResults
    judgements: list[Judgement]
    missing: list[str]  #: names of runs without a result

    @property
    def verdict(self) -> Verdict:
        """Verdict of the claim."""
        return heaviest(each.verdict for each in self.judgements)

    @property
    def hours(self) -> float:
        """What the missing runs would cost, in hours of two cores."""
        return self.scale.hours_of(len(self.missing))


class ClaimRuns:
    """The runs that a claim needs at one scale.

    Args:
        claim: from its file.
        scale: cpu or paper.
        seeds: how many; default: the first stage, or as many as were asked for before.
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
        self.plans = [
            Plan(sweep, [f"--experiment={OURS}{claim.name}_{scale}{'' if i == 1 else f'_{i}'}"])
            for i, sweep in enumerate(self.scale.with_seeds(self.seeds), 1)
        ]

    def wanted(self) -> Iterator[Wanted]:
        """Yield every run, sweep by sweep, the first seed's first."""
        for plan in self.plans:
            for planned in plan.runs():
                values = planned.proposal.values
                yield Wanted(planned, *contestant(values), values["seed_everything"])

    def kept(self, records: Path) -> KeptRuns:
        """Return runs that are not trained again: kept records, and those of other claims here."""
        own = {plan.folder for plan in self.plans}
        ours = {found for folder in own for found in folder.parent.glob(f"{OURS}*")}
        return KeptRuns(records, *sorted(ours - own))

    @property
    def written(self) -> Path:
        """File of the claim's results."""
        return self.out / RESULTS

    @property
    def report(self) -> Path:
        """File of the claim's report."""
        return self.out / REPORT

    def figures(self) -> list[Path]:
        """List the files of the claim's pictures."""
        return sorted(self.out.glob(FIGURES))

    def trained(
        self, executions: "Sequence[Execution]"
    ) -> tuple[Judged, dict[tuple[str, str], list[Run]]]:
        """Judge the claim by the runs that its sweeps have ended with.

        Args:
            executions: of all plans.

        Returns:
            the verdict; the runs by benchmark and model.
        """
        outcomes = [outcome for execution in executions for outcome in execution.outcomes]
        found = {each.run.folder.path: each.record for each in outcomes}
        done = [path for path, record in found.items() if record is None and path.is_dir()]
        tested = {run.folder: run for run in read_runs(done).runs if run.tested is not None}
        runs = {path: run for path, run in (found | tested).items() if run is not None}
        of_model: dict[tuple[str, str], list[Run]] = {}
        for each in self.wanted():
            if each.planned.folder.path in runs:
                run = runs[each.planned.folder.path]
                of_model.setdefault((each.data, each.model), []).append(run)
        return self.judged(runs, []), of_model

    def known(self, kept: KeptRuns) -> Judged:
        """Judge the claim by kept records, and by what was found before."""
        records = ((each, kept.find(each.planned.arguments)) for each in self.wanted())
        runs = {each.planned.folder.path: run for each, run in records if run is not None}
        return self.judged(runs, self.stored)

    def judged(self, runs: Mapping[Path, Run], stored: Sequence[Score]) -> Judged:
        """Judge the claim.

        Args:
            runs: by the folder of the run that each one is or stands for.
            stored: numbers of runs that are somewhere else.
        """
        wanted, statements = list(self.wanted()), self.claim.statements
        found = [
            score_of(run, each.data, each.model, statements)
            for each in wanted
            if (run := runs.get(each.planned.folder.path)) is not None
        ]
        scores = joined(stored, found)
        known = {(score.data, score.model, score.seed) for score in scores}

        def numbers(quantity: Quantity, model: str, data: str) -> Mapping[int | None, float]:
            return by_seed(scores, quantity, model, data)

        return Judged(
            self.claim,
            self.scale,
            ClaimResults(self.seeds, [sweep.content for sweep in self.scale.sweeps], scores),
            judge(statements, list(dict.fromkeys(each.data for each in wanted)), numbers),
            [each.name for each in wanted if (each.data, each.model, each.seed) not in known],
        )

    @property
    def stored(self) -> list[Score]:
        """Numbers of before, unless they are of other settings than the claim now has."""
        before = self._before()
        now = [sweep.content for sweep in self.scale.sweeps]
        if before is None or before.sweeps != now:
            return []
        seeds = self.scale.seeds[: self.seeds]
        return [score for score in before.scores if score.seed in seeds]

    def _before(self) -> ClaimResults | None:
        if not self.written.exists():
            return None
        try:
            return read_claim_results(self.written)
        except Unreadable as reason:
            raise UsageError(f"--out: {shown(self.written)} {reason}") from reason

    def _seeds(self, asked: int | None) -> int:
        valid = [stage for stage in STAGES if stage <= len(self.scale.seeds)]
        if asked is None:
            before = self._before()
            asked = valid[0] if before is None else before.seeds
        if asked not in valid:
            names = ", ".join(map(str, valid))
            raise UsageError(
                f"--seeds: {self.claim.name} has {len(self.scale.seeds)} at {self.scale.name} "
                f"scale, taken in stages, got {asked}; valid: {names}"
            )
        return asked


def folder_of(claim: Claim, scale: str, out: Path) -> Path:
    """Return the folder of a claim's results: docs/claims/A2, of another scale A2_paper."""
    return out / (claim.name if scale == "cpu" else f"{claim.name}_{scale}")
