"""Runs a sweep: so many runs at a time, each in processes of its own."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from statistics import mean
from threading import RLock
from typing import NamedTuple

from lightning_modules.callbacks.progress import readable
from lightning_modules.command_line.exit_status import DIVERGED, INTERRUPTED, TERMINATED
from lightning_modules.command_line.sweep import process
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from lightning_modules.command_line.sweep.lock import only_sweep_in
from lightning_modules.command_line.sweep.metric_values import metric_values
from lightning_modules.command_line.sweep.plan import Plan, PlannedRun
from lightning_modules.command_line.sweep.stop_requests import stop_requests
from lightning_modules.command_line.sweep.study import SweepStudy, require_own
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import shown

#: Seconds between two looks at a process, and at what it has logged.
PAUSE, LOOK = 0.1, 1.0
#: What processes are sent when they are asked for the end the first and the second time.
STOPPING = {1: signal.SIGINT, 2: signal.SIGKILL}
#: Status of a process that the sweep's end has not let begin.
NOT_BEGUN = 256
#: Statuses of processes that somebody ended, before they could answer or after they saved.
OF_INTERRUPTION = (INTERRUPTED, TERMINATED, -signal.SIGINT, -signal.SIGTERM)


class Outcome(NamedTuple):
    """End of a run."""

    run: PlannedRun
    how: str  #: finished, kept before, pruned, diverged, interrupted or failed
    record: Run | None = None  #: what was kept


@dataclass
class Execution:
    """Runs what a study proposes, a thread for each of the runs that go at a time."""

    plan: Plan  #: turns proposals into runs
    study: SweepStudy  #: proposes, and keeps results
    total: int  #: number of runs
    jobs: int  #: runs at a time
    threads: int  #: of each process
    test: bool  #: every run after training
    #: Signals that ask for the end: the first lets runs save what they have, the second does not.
    stop: list[int]
    kept: KeptRuns | None = None  #: what is in there is not trained again
    launcher: Sequence[str] = ()  #: begins the command line of each process
    outcomes: list[Outcome] = field(default_factory=list)  #: in the order of their ends

    def __post_init__(self) -> None:
        self._proposals = self.study.proposals(self.total)
        self._going: set[str] = set()
        self._pruned: set[str] = set()
        #: Seconds of each run that began and ended here; the rest of a resumed one says little.
        self._took: list[float] = []
        #: Around all that is shared; nobody waits for a process inside.
        self._lock = RLock()

    @property
    def ended(self) -> Counter[str]:
        """How many runs finished, were kept before, pruned, diverged, were interrupted, failed."""
        return Counter(outcome.how for outcome in self.outcomes)

    @property
    def diverged(self) -> list[str]:
        """Names of the runs that diverged."""
        return sorted(each.run.name for each in self.outcomes if each.how == "diverged")

    def run(self) -> None:
        """Run until all runs have ended, or somebody wants the end."""
        with ThreadPoolExecutor(self.jobs) as pool:
            workers = [pool.submit(self._work) for _ in range(self.jobs)]
            while wait(workers, PAUSE).not_done and not self.stop:
                pass
            if going := len(self._going):
                whose = f"{going} runs to save their" if going > 1 else "1 run to save its"
                print(f"\nWaiting for {whose} state", flush=True)
        for worker in workers:
            worker.result()

    def _work(self) -> None:
        try:
            while not self.stop:
                with self._lock:
                    proposal = next(self._proposals, None)
                if proposal is None:
                    return
                run = self.plan.run(proposal)
                if proposal.ended is None:
                    self._carry_out(run)
                else:
                    self.outcomes.append(Outcome(run, proposal.ended))
        except BaseException:
            # The other runs shall save what they have.
            self.stop.append(signal.SIGINT)
            raise

    def _carry_out(self, run: PlannedRun) -> None:
        """Do what is left of a run: training, and the test."""
        trial, code, began = run.proposal.trial, 0, time.monotonic()
        whole = not run.folder.states
        if trial is not None and self._is_kept(run):
            return
        test = self.test and not (trial is None and run.folder.results.exists())
        if trial is not None:
            doing = "starts" if whole else "goes on"
            code = self._process(run, process.training, doing)
            if code == 0 and run.name not in self._pruned:
                with self._lock:
                    self.study.complete(trial, self._logged(run))
        elif not test:
            self.outcomes.append(Outcome(run, "finished"))
            return
        if code == 0 and test and run.name not in self._pruned:
            code = self._process(run, process.testing, "is tested" if trial is None else "")
        if code == 0 or run.name in self._pruned or not self.stop:
            self._conclude(run, code, time.monotonic() - began, whole)

    def _is_kept(self, run: PlannedRun) -> bool:
        """Say where the record of a run is, if there is one; its trial stays one that may begin."""
        if self.kept is None:
            return False
        with self._lock:
            record = self.kept.find(run.arguments)
        if record is not None:
            self._count(run, "kept", f"is kept in {shown(record.path)}", record)
        return record is not None

    def _process(self, run: PlannedRun, command: process.Command, doing: str) -> int:
        """Run a command, say what it is ``doing`` unless that is known, and return its status."""
        self._going.add(run.name)
        try:
            started = self._started(run, command, doing)
            if started is None:
                return NOT_BEGUN
            sent, look = 0, 0.0
            while (code := started.poll()) is None:
                if command is process.training and not sent and time.monotonic() > look:
                    self._judge(run)
                    look = time.monotonic() + LOOK
                wanted = min(len(self.stop), 2) or int(run.name in self._pruned)
                if wanted > sent:
                    process.send(started, STOPPING[wanted])
                    sent = wanted
                time.sleep(PAUSE)
            return code
        finally:
            self._going.discard(run.name)

    def _started(
        self, run: PlannedRun, command: process.Command, doing: str
    ) -> subprocess.Popen[bytes] | None:
        """Start a command once nobody else is at the run; None if the end comes first.

        Whoever is left of an earlier sweep is asked for the end, too.
        """
        sent = 0
        while not self.stop:
            started = process.start(run, command, self.threads, self.launcher)
            if doing:
                said = doing if started else "waits for its earlier process"
                self._say(run, f"{said}, log: {shown(run.log)}")
            if started is not None:
                return started
            doing = ""
            time.sleep(PAUSE)
        while left := process.orphans(run):
            wanted = min(len(self.stop), 2)
            if wanted > sent:
                for orphan in left:
                    with suppress(ProcessLookupError):
                        os.kill(orphan, STOPPING[wanted])
                sent = wanted
            time.sleep(PAUSE)
        return None

    def _judge(self, run: PlannedRun) -> None:
        """Give a run up if it is among the worse ones so far."""
        trial = run.proposal.trial
        if trial is None or self.plan.file.early_termination is None:
            return
        with self._lock:
            if self.study.report(trial, self._logged(run)):
                # Before its process ends, so that no kill between leaves it to be gone on with.
                self.study.prune(trial)
                self._pruned.add(run.name)

    def _conclude(self, run: PlannedRun, code: int, seconds: float, whole: bool) -> None:
        """Say how a run ended, and write down if it diverged or failed.

        Args:
            run: the run.
            code: status of its last process.
            seconds: how long it took here.
            whole: it began here.
        """
        trial, took = run.proposal.trial, duration(seconds)
        if whole:
            self._took.append(seconds)
        if run.name in self._pruned:
            self._count(run, "pruned", f"pruned after {took}{self._scored(run)}")
        elif code == 0:
            self._count(run, "finished", f"finished in {took}{self._scored(run)}")
        elif code == DIVERGED and trial is not None:
            with self._lock:
                self.study.diverge(trial)
            self._count(run, "diverged", f"diverged after {took} ({shown(run.log)})")
        elif code in OF_INTERRUPTION:
            # It stays one that is to go on.
            self._count(run, "interrupted", f"interrupted after {took}, not by this sweep")
        else:
            if trial is not None:
                with self._lock:
                    self.study.fail(trial)
            why = process.reason(run, code)
            self._count(run, "failed", f"failed after {took}: {why} ({shown(run.log)})")

    def _count(self, run: PlannedRun, how: str, said: str, record: Run | None = None) -> None:
        with self._lock:
            self.outcomes.append(Outcome(run, how, record))
            left = self.total - len(self.outcomes)
            self._say(run, said + to_go(self._took, left, len(self._going), self.jobs))

    def _scored(self, run: PlannedRun) -> str:
        metric, values = self.plan.file.metric, self._logged(run)
        if metric is None:
            return ""
        if not values or not isfinite(values[-1]):
            return f", without {metric.name}: metrics.csv has no such column, or no number in it"
        return f", {readable({metric.name: values[-1]})}"

    def _logged(self, run: PlannedRun) -> list[float]:
        metric = self.plan.file.metric
        return metric_values(run.folder.metrics, metric.name) if metric else []

    def _say(self, run: PlannedRun, what: str) -> None:
        with self._lock:
            print(f"{run.proposal.number}/{self.total} {run.name}: {what}", flush=True)


def execute(
    plan: Plan,
    trials: int | None,
    jobs: int,
    threads: int,
    test: bool,
    kept: KeptRuns | None,
    launcher: Sequence[str],
) -> Execution:
    """Run a sweep until all runs have ended, or somebody wants the end.

    Raises:
        UsageError: it cannot begin, or go on.
    """
    total = plan.file.number_of_runs(trials)
    require_own(plan.folder)
    with only_sweep_in(plan.folder), stop_requests() as stop:
        study = SweepStudy(plan.folder, plan.file, plan.settings)
        execution = Execution(plan, study, total, jobs, threads, test, stop, kept, launcher)
        execution.run()
    return execution


def to_go(took: Sequence[float], left: int, going: int, jobs: int) -> str:
    """Estimate how long the other runs will take; say nothing where nothing is known or left.

    Args:
        took: seconds of each run that ended.
        left: how many have not ended.
        going: how many of these have begun; half of their time is behind them.
        jobs: runs at a time.
    """
    if not (took and left):
        return ""
    seconds = mean(took) * (left - going / 2) / min(jobs, left)
    return f"; {left} left, about {duration(seconds)}"


def duration(seconds: float) -> str:
    """Rounded so that two numbers say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
