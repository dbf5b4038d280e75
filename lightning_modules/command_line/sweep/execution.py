"""Runs a sweep: so many runs at a time, each in processes of its own."""

import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from lightning_modules.callbacks.progress import readable
from lightning_modules.command_line.sweep.plan import Plan, PlannedRun
from lightning_modules.command_line.sweep.run_processes import RunProcesses
from lightning_modules.command_line.sweep.score import last_logged
from lightning_modules.command_line.sweep.state_file import StateFile, Status
from lightning_modules.command_line.sweep.stop_request import StopRequest
from lightning_modules.command_line.sweep.trials import Search
from lightning_modules.records.run_folder import shown

#: Seconds between two looks at the processes.
PAUSE = 0.1


@dataclass
class Execution:
    """What it takes to run a sweep.

    Args:
        plan: turns trials into runs.
        search: proposes trials.
        state: of the sweep, on disk.
        total: number of trials.
        jobs: runs at a time.
        threads: of each process.
        test: every run after training.
        stop: whether somebody wants the end.
    """

    plan: Plan
    search: Search
    state: StateFile
    total: int
    jobs: int
    threads: int
    test: bool
    stop: StopRequest
    #: How many runs finished and failed.
    ended: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Run until all runs have ended, or somebody wants the end.

        Raises:
            UsageError: the folder has runs of the same names with other settings.
        """
        going: list[RunProcesses] = []
        try:
            while not self.stop and self._fill(going):
                over = [processes for processes in going if self._advance(processes)]
                for processes in over:
                    going.remove(processes)
                    self._conclude(processes)
                time.sleep(0 if over else PAUSE)
        finally:
            if going:
                self._stop(going)

    def _fill(self, going: list[RunProcesses]) -> bool:
        """Begin runs as long as there are free places; whether any run is going."""
        while len(going) < self.jobs and (begun := self._begin_next()):
            going.append(begun)
        return bool(going)

    def _begin_next(self) -> RunProcesses | None:
        """Begin the next run that is not finished."""
        while trial := self.search.propose():
            run = self.plan.run(trial)
            known = self.state.find(run)
            trained = known is not None and known.status is Status.TRAINED
            test = self.test and not (trained and run.folder.results.exists())
            if known is not None and trained and not test:
                self.ended["finished"] += 1
                self.search.learn(trial, known.score)
                continue
            self.state.begin(run)
            return self._begin(run, trained, test)
        return None

    def _begin(self, run: PlannedRun, trained: bool, test: bool) -> RunProcesses:
        going_on = not trained and run.folder.last_checkpoint.exists()
        processes = RunProcesses(run, trained, test, self.threads)
        processes.advance()
        if processes.waiting:
            doing = "waits for its process from before"
        else:
            doing = "is tested" if trained else "goes on" if going_on else "starts"
        self._say(run, f"{doing}, log: {shown(run.log)}")
        return processes

    def _advance(self, processes: RunProcesses) -> bool:
        trained = processes.trained
        over = processes.advance()
        if processes.trained and not trained:
            self._note_training(processes)
        return over

    def _note_training(self, processes: RunProcesses) -> None:
        record = self.state.records[processes.run.name]
        record.status = Status.TRAINED
        if self.plan.file.metric is not None:
            record.score = last_logged(processes.run.folder, self.plan.file.metric.name)
        self.state.write()

    def _conclude(self, processes: RunProcesses) -> None:
        """Write down and say how a run ended."""
        run, record = processes.run, self.state.records[processes.run.name]
        took = duration(processes.seconds)
        if processes.code == 0:
            self.ended["finished"] += 1
            self._say(run, f"finished in {took}{self._judged(record.score)}")
        else:
            self.ended["failed"] += 1
            # What was trained stays so: only its test is left, whatever becomes of checkpoints.
            record.status = Status.TRAINED if processes.trained else Status.FAILED
            self.state.write()
            self._say(run, f"failed after {took}: {processes.reason()} ({shown(run.log)})")
        self.search.learn(run.trial, record.score if processes.code == 0 else None)

    def _judged(self, score: float | None) -> str:
        metric = self.plan.file.metric
        if metric is None:
            return ""
        if score is None:
            return f", without {metric.name}: metrics.csv has no such column, or no number in it"
        return f", {readable({metric.name: score})}"

    def _stop(self, going: list[RunProcesses]) -> None:
        """Let runs save what they have; a second request ends them at once."""
        saving = f"{len(going)} runs to save their" if len(going) > 1 else "1 run to save its"
        print(f"\nWaiting for {saving} state", flush=True)
        for processes in going:
            processes.signal(signal.SIGINT)
        while left := [processes for processes in going if not processes.ended()]:
            if self.stop.times > 1:
                for processes in left:
                    processes.signal(signal.SIGKILL)
            time.sleep(PAUSE)
        for processes in going:
            if processes.trained:
                self._note_training(processes)

    def _say(self, run: PlannedRun, what: str) -> None:
        print(f"{run.trial.number}/{self.total} {run.name}: {what}", flush=True)


def duration(seconds: float) -> str:
    """Rounded so that two numbers say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
