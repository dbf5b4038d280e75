"""Executes a sweep: several runs in parallel, each in its own processes."""

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

#: Seconds between polls of a process, of its logged metrics, and of its step.
PAUSE, LOOK, REPORT = 0.1, 1.0, 60.0
#: Signals sent to processes at the first and the second stop request.
STOPPING = {1: signal.SIGINT, 2: signal.SIGKILL}
#: Status of a process that was not started because the sweep was stopped.
NOT_STARTED = 256
#: Statuses of processes ended from outside, with or without saving their state.
OF_INTERRUPTION = (INTERRUPTED, TERMINATED, -signal.SIGINT, -signal.SIGTERM)


class Outcome(NamedTuple):
    """How a run ended."""

    run: PlannedRun
    how: str  #: finished, kept, pruned, diverged, interrupted or failed
    record: Run | None = None  #: its kept record


@dataclass
class Execution:
    """Runs what a study proposes, with one thread per parallel run."""

    plan: Plan  #: turns proposals into runs
    study: SweepStudy  #: proposes runs and stores results
    total: int  #: number of runs
    jobs: int  #: number of parallel runs
    threads: int  #: threads per process
    test: bool  #: whether to test each run after training
    #: Stop signals: at the first, runs save their state; at the second, they are killed.
    stop: list[int]
    kept: KeptRuns | None = None  #: runs that are not trained again
    launcher: Sequence[str] = ()  #: prefix of each process's command line
    outcomes: list[Outcome] = field(default_factory=list)  #: in the order in which runs ended

    def __post_init__(self) -> None:
        self._proposals = self.study.proposals(self.total)
        self._running: set[str] = set()
        self._pruned: set[str] = set()
        #: Seconds of each run that started and ended here; resumed runs would bias estimates.
        self._took: list[float] = []
        #: Guards all shared state; not locked while waiting for a process.
        self._lock = RLock()

    @property
    def ended(self) -> Counter[str]:
        """Number of runs by outcome."""
        return Counter(outcome.how for outcome in self.outcomes)

    @property
    def diverged(self) -> list[str]:
        """Names of the runs that diverged."""
        return sorted(each.run.name for each in self.outcomes if each.how == "diverged")

    def run(self) -> None:
        """Run until all runs have ended or a stop is requested."""
        with ThreadPoolExecutor(self.jobs) as pool:
            workers = [pool.submit(self._work) for _ in range(self.jobs)]
            while wait(workers, PAUSE).not_done and not self.stop:
                pass
            if running := len(self._running):
                owner = f"{running} runs to save their" if running > 1 else "1 run to save its"
                print(f"\nWaiting for {owner} state", flush=True)
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
            # Let the other runs save their state.
            self.stop.append(signal.SIGINT)
            raise

    def _carry_out(self, run: PlannedRun) -> None:
        """Do what remains of a run: training, then its test."""
        trial, code, began = run.proposal.trial, 0, time.monotonic()
        whole = not run.folder.states
        if trial is not None and self._is_kept(run):
            return
        test = self.test and not (trial is None and run.folder.results.exists())
        if trial is not None:
            doing = "starts" if whole else "continues"
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
        """Return whether a run has a kept record, and report it; its trial stays open."""
        if self.kept is None:
            return False
        with self._lock:
            record = self.kept.find(run.arguments)
        if record is not None:
            self._count(run, "kept", f"is kept in {shown(record.path)}", record)
        return record is not None

    def _process(self, run: PlannedRun, command: process.Command, doing: str) -> int:
        """Run a command, report what it is ``doing`` unless empty, and return its exit status."""
        self._running.add(run.name)
        # By earlier processes of the run.
        logged = run.log.stat().st_size if run.log.exists() else 0
        try:
            running = self._start(run, command, doing)
            if running is None:
                return NOT_STARTED
            sent, look = 0, 0.0
            step, report = "", time.monotonic() + REPORT
            while (code := running.poll()) is None:
                if command is process.training and not sent and time.monotonic() > look:
                    self._judge(run)
                    look = time.monotonic() + LOOK
                if time.monotonic() > report:
                    step, report = self._report(run, logged, step), time.monotonic() + REPORT
                level = min(len(self.stop), 2) or int(run.name in self._pruned)
                if level > sent:
                    process.send(running, STOPPING[level])
                    sent = level
                time.sleep(PAUSE)
            return code
        finally:
            self._running.discard(run.name)

    def _start(
        self, run: PlannedRun, command: process.Command, doing: str
    ) -> subprocess.Popen[bytes] | None:
        """Start a command once no other process writes to the run; None if stopped before.

        A stop is passed on to processes left over from an earlier sweep.
        """
        sent = 0
        while not self.stop:
            started = process.start(run, command, self.threads, self.launcher)
            if doing:
                status = doing if started else "waits for its earlier process"
                self._say(run, f"{status}, log: {shown(run.log)}")
            if started is not None:
                return started
            doing = ""
            time.sleep(PAUSE)
        while orphans := process.orphans(run):
            level = min(len(self.stop), 2)
            if level > sent:
                for orphan in orphans:
                    with suppress(ProcessLookupError):
                        os.kill(orphan, STOPPING[level])
                sent = level
            time.sleep(PAUSE)
        return None

    def _report(self, run: PlannedRun, logged: int, before: str) -> str:
        """Print the newest step after the first bytes of a run's log, unless it was printed before.

        Returns:
            That step.
        """
        step = process.newest_step(run, logged)
        if step != before:
            self._say(run, step)
        return step

    def _judge(self, run: PlannedRun) -> None:
        """Prune a run if it is among the worse ones so far."""
        trial = run.proposal.trial
        if trial is None or self.plan.file.early_termination is None:
            return
        with self._lock:
            if self.study.report(trial, self._logged(run)):
                # Recorded before its process ends, so that a kill in between cannot resume it.
                self.study.prune(trial)
                self._pruned.add(run.name)

    def _conclude(self, run: PlannedRun, code: int, seconds: float, whole: bool) -> None:
        """Report how a run ended, and record if it diverged or failed.

        Args:
            run: the run.
            code: exit status of its last process.
            seconds: time that it took here.
            whole: whether it started here.
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
            # Its trial stays open, to be resumed.
            self._count(run, "interrupted", f"interrupted after {took}, not by this sweep")
        else:
            if trial is not None:
                with self._lock:
                    self.study.fail(trial)
            why = process.reason(run, code)
            self._count(run, "failed", f"failed after {took}: {why} ({shown(run.log)})")

    def _count(self, run: PlannedRun, how: str, message: str, record: Run | None = None) -> None:
        with self._lock:
            self.outcomes.append(Outcome(run, how, record))
            left = self.total - len(self.outcomes)
            self._say(run, message + to_go(self._took, left, len(self._running), self.jobs))

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

    def _say(self, run: PlannedRun, message: str) -> None:
        with self._lock:
            print(f"{run.proposal.number}/{self.total} {run.name}: {message}", flush=True)


def execute(
    plan: Plan,
    trials: int | None,
    jobs: int,
    threads: int,
    test: bool,
    kept: KeptRuns | None,
    launcher: Sequence[str],
) -> Execution:
    """Run a sweep until all runs have ended or a stop is requested.

    Raises:
        UsageError: it cannot start or continue.
    """
    total = plan.file.number_of_runs(trials)
    require_own(plan.folder)
    with only_sweep_in(plan.folder), stop_requests() as stop:
        study = SweepStudy(plan.folder, plan.file, plan.settings)
        execution = Execution(plan, study, total, jobs, threads, test, stop, kept, launcher)
        execution.run()
    return execution


def to_go(took: Sequence[float], left: int, running: int, jobs: int) -> str:
    """Estimate the remaining time as a clause; empty if no run has ended or none is left.

    Args:
        took: seconds of each run that ended.
        left: number of runs that have not ended.
        running: number of these that have started, assumed half done.
        jobs: number of parallel runs.
    """
    if not (took and left):
        return ""
    seconds = mean(took) * (left - running / 2) / min(jobs, left)
    return f"; {left} left, about {duration(seconds)}"


def duration(seconds: float) -> str:
    """Format seconds with at most two units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
