"""Kills trainings at any moment, resumes them, and compares them with those that nobody killed.

    python benchmarks/kills.py --kills 200

Chains of real processes: each training is killed several times, and started again each time by the
same command, with ``--ckpt_path last``, until it ends. The reference is one training that nobody
killed. Losses of all steps, validations and the final weights must be equal to the bit, no process
and no unfinished file may be left, and each exit status must be what schedulers expect.

``docs/reliability.md`` has the outcome.
"""

import argparse
import csv
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import cli  # noqa: E402
from lightning_modules.callbacks.checkpoints import LastCheckpoint  # noqa: E402
from lightning_modules.callbacks.pictures import Pictures  # noqa: E402

#: In which a process may have no handlers of signals yet.
START_SECONDS = 2.0
#: First word of a process that is a training.
TRAIN = "train"
STEPS, EVERY = 150, 40
FRAMES = (
    "--data.source=mnist5k",
    "--data.pre_recall_length=4",
    "--data.recall_length=2",
    "--model.controller_size=64",
    "--model.latent_size=8",
)
FUNCTIONS = (
    "--data.sequence_length=6",
    "--data.context_steps=4",
    "--data.train_points=20",
    "--data.test_points=20",
    "--data.most_points=8",
    "--model.hidden_size=32",
    "--data.curriculum=null",
)
MODELS = {
    "GTMM": ("dnc_gtmm_perfect_recall_l10", *FRAMES),
    "VRNN": ("vrnn_perfect_recall_l10", *FRAMES),
    "SNP": ("snp_gp_sparse", *FUNCTIONS),
    "ASNP-RMR": ("asnp_rmr_gp_sparse", *FUNCTIONS, "--model.memory.stochastic_keys=true"),
}
#: 10 batches an epoch, and some sequences more.
COMMON = (
    "--data.batch_size=4",
    "--data.train_size=43",
    "--data.val_size=6",
    "--data.test_size=4",
    "--data.eval_batch_size=3",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=1",
    f"--trainer.max_steps={STEPS}",
    f"--trainer.val_check_interval={EVERY}",
    "--run=run",
    "--ckpt_path=last",
)


@dataclass(frozen=True)
class Kill:
    """A way to end a training."""

    name: str
    number: signal.Signals
    group: bool
    in_a_write: bool = False

    @property
    def statuses(self) -> set[int]:
        """Statuses of a process that it ends as it should."""
        if self.number == signal.SIGKILL:
            return {-signal.SIGKILL}
        return {128 + self.number}


KILLS = (
    Kill("SIGKILL", signal.SIGKILL, group=False),
    Kill("SIGKILL to the group", signal.SIGKILL, group=True),
    Kill("SIGTERM", signal.SIGTERM, group=False),
    Kill("SIGTERM to the group", signal.SIGTERM, group=True),
    Kill("SIGINT to the group", signal.SIGINT, group=True),
    Kill("SIGKILL in a write", signal.SIGKILL, group=True, in_a_write=True),
    Kill("SIGTERM in a write", signal.SIGTERM, group=True, in_a_write=True),
)


@dataclass
class Outcome:
    """What became of the kills of one chain."""

    faults: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Process:
    """A command of ``cli.py``, forked from this process, which has imported everything.

    Imports take longer than the trainings. The second process of a training is one that Lightning
    starts, as always.

    Args:
        words: of the command line.
        log: to which it writes.
    """

    def __init__(self, words: list[str], log: Path) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.setpgid(0, 0)
                file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.dup2(file, 1), os.dup2(file, 2)
                status = train(words)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        with suppress(OSError):
            os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        """Return the status if it has ended, negative if a signal ended it."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end.

        Raises:
            TimeoutError: it has not ended by then.
        """
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise TimeoutError
            time.sleep(0.01)
        return status


class Training:
    """A training in a folder of its own, started as often as needed.

    Args:
        root: of its runs.
        model: one of ``MODELS``.
        processes: 1 or 2.
    """

    def __init__(self, root: Path, model: str, processes: int) -> None:
        config, *options = MODELS[model]
        self.root, self.folder = root, root / "kills" / "run"
        several = ("--trainer.devices=2", "--trainer.strategy=ddp") if processes == 2 else ()
        workers = f"--data.num_workers={1 if processes == 1 else 0}"
        words = [f"--config=conf/{config}.yaml", *options, *COMMON, *several, workers]
        words += ["--experiment=kills", f"--trainer.default_root_dir={root}"]
        self.command = ["fit", *words]
        self.log = root / "log.txt"

    def start(self) -> "Process":
        """Start it, or start it again, as leader of a group of processes."""
        return Process(self.command, self.log)

    def finish(self) -> None:
        """Run it to its end.

        Raises:
            RuntimeError: it failed.
        """
        process = self.start()
        if process.wait(timeout=300):
            raise RuntimeError(f"ended with {process.returncode}: {tail(self.log)}")

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of metrics.csv; the last may be unfinished."""
        with suppress(OSError), open(self.folder / "metrics.csv", encoding="utf-8") as file:
            return list(csv.DictReader(file))
        return []

    def step(self) -> int:
        """Return the last step that was logged."""
        rows = self.rows()
        with suppress(TypeError, ValueError, KeyError, IndexError):
            return int(float(rows[-1]["step"]))
        return 0

    def measures(self) -> dict[str, set[str]]:
        """Collect the values of every step's loss and validation, as they were written."""
        found: dict[str, set[str]] = {}
        for row in self.rows():
            for name in ("train/bound", "train/kl", "val/bound", "val/kl"):
                if row.get(name):
                    found.setdefault(f"{name} at {float(row['step']):.0f}", set()).add(row[name])
        return found

    def weights(self) -> dict[str, Any]:
        """Load the final weights."""
        last = self.folder / "checkpoints/last.ckpt"
        content = torch.load(last, map_location="cpu", weights_only=True)
        if content["global_step"] != STEPS:
            raise RuntimeError(f"ended at step {content['global_step']}")
        return content["state_dict"]

    def writes(self, since: float = 0.0) -> bool:
        """Tell whether a checkpoint is being written, by nobody who died before a time."""
        with suppress(OSError):
            for entry in os.scandir(self.folder / "checkpoints"):
                if entry.name.startswith(".") and entry.stat().st_mtime > since:
                    return True
        return False

    def left(self) -> list[int]:
        """List processes that belong to it."""
        mark = os.fsencode(f"--trainer.default_root_dir={self.root}")
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if mark in entry.read_bytes():
                    found.append(int(entry.parent.name))
        return found


def tail(log: Path) -> str:
    """Return the end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]


def kill(training: Training, how: Kill, after: int, draw: random.Random, outcome: Outcome) -> bool:
    """Start a training, and kill it some time after a step; False if it ended before.

    Args:
        training: to start.
        how: it is killed.
        after: step.
        draw: of the moment.
        outcome: to add to.
    """
    began, started = time.time(), time.monotonic()
    process = training.start()
    while process.poll() is None and training.step() < after:
        time.sleep(0.02)
    until = time.monotonic() + draw.uniform(0.0, 0.3)
    while process.poll() is None:
        if training.writes(began) if how.in_a_write else time.monotonic() > until:
            break
    if process.poll() is not None:
        if process.returncode:
            outcome.faults.append(f"{how.name}: ended before with {process.returncode}")
        return False
    sent = time.monotonic()
    (os.killpg if how.group else os.kill)(process.pid, how.number)
    outcome.kills[how.name] += 1
    try:
        status = process.wait(timeout=60)
    except TimeoutError:
        outcome.faults.append(f"{how.name}: still there after 60 s: {tail(training.log)}")
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait(timeout=10)
    outcome.seconds.append(time.monotonic() - sent)
    # A training that was at its end anyhow may end well.
    early = {-how.number} if sent - started < START_SECONDS else set()
    if status not in how.statuses | {0} | early:
        outcome.faults.append(f"{how.name}: status {status}: {tail(training.log)}")
    while training.left() and time.monotonic() < sent + 60:
        time.sleep(0.2)
    if left := training.left():
        outcome.faults.append(f"{how.name}: left processes {left}")
        for number in left:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
    return True


def chain(model: str, processes: int, place: Path, kills: int, seed: int, whole: Any) -> Outcome:
    """Kill one training several times, let it end, and compare it."""
    draw, outcome = random.Random(seed), Outcome()
    with tempfile.TemporaryDirectory(dir=place, prefix="kills-") as folder:
        training = Training(Path(folder), model, processes)
        for number in range(kills):
            how = KILLS[(seed + number) % len(KILLS)]
            after = draw.randint(
                1 + number * STEPS // (kills + 1), (number + 1) * STEPS // (kills + 1)
            )
            kill(training, how, after, draw, outcome)
        try:
            training.finish()
            compare(training, whole, outcome)
        except Exception as failure:
            outcome.faults.append(f"lost: {failure}")
        outcome.faults[:] = [f"{model}, {processes}, {place}, {f}" for f in outcome.faults]
    return outcome


def compare(training: Training, whole: Any, outcome: Outcome) -> None:
    """Compare a training that was killed with one that was not."""
    measures, weights = whole
    found = training.measures()
    for name, value in measures.items():
        if found.get(name) != value:
            outcome.faults.append(f"differs: {name} is {found.get(name)}, not {value}")
            break
    for name, value in training.weights().items():
        if not torch.equal(value, weights[name]):
            outcome.faults.append(f"differs: weights {name}")
            break
    if training.writes():
        outcome.faults.append("an unfinished file is left")


def reference(model: str, processes: int) -> Any:
    """Train without a kill; return all measures and the final weights."""
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        training = Training(Path(folder), model, processes)
        training.finish()
        measures = training.measures()
        assert len([name for name in measures if name.startswith("train/bound")]) == STEPS
        return measures, training.weights()


def chains(kills: int, each: int, places: list[Path]) -> Iterator[tuple[str, int, Path, int]]:
    """List as many chains as make so many kills, over all models, processes and file systems."""
    for number in range(-(-kills // each)):
        models = list(MODELS)
        # Every third one has two processes, which take twice the time.
        processes = 2 if number % 3 == 2 else 1
        yield models[number % len(models)], processes, places[number // 2 % len(places)], number


def train(words: list[str]) -> int:
    """Be the training, with checkpoints as often as its seconds allow, and without pictures."""
    sys.argv = [__file__, TRAIN, *words]  # what Lightning starts the second process by
    LastCheckpoint.__init__.__defaults__ = (0.2, 0.4)  # type: ignore[attr-defined]
    Pictures.on_validation_end = lambda *given: None  # type: ignore[method-assign]
    try:
        cli.main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    """Run all chains, and print what was found as a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--each", type=int, default=5, help="kills of one training")
    parser.add_argument("--first", type=int, default=0, help="chains to leave out, made elsewhere")
    parser.add_argument("--places", type=Path, nargs="+", default=[Path("/tmp"), Path("/dev/shm")])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    # A shell lets its background jobs ignore Ctrl-C, and so do what these start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    os.chdir(ROOT)
    torch.set_num_threads(1)
    wholes: dict[tuple[str, int], Any] = {}
    outcomes = []
    for model, processes, place, number in list(chains(given.kills, given.each, given.places)):
        if number < given.first:
            continue
        if (model, processes) not in wholes:
            wholes[model, processes] = reference(model, processes)
        whole = wholes[model, processes]
        outcome = chain(model, processes, place, given.each, given.seed + number, whole)
        said = f"{number}: {model}, {processes} in {place}: {dict(outcome.kills)}"
        print(said, *outcome.faults, sep="\n  ", flush=True)
        outcomes.append(outcome)
    kills = sum((outcome.kills for outcome in outcomes), Counter())
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    slowest = max(seconds for outcome in outcomes for seconds in outcome.seconds)
    summary = {"kills": kills.total(), **kills, "chains": len(outcomes), "faults": len(faults)}
    print(json.dumps({**summary, "slowest_exit_s": round(slowest, 1)}, indent=2))
    sys.exit(bool(faults))


if __name__ == "__main__":
    if sys.argv[1:2] == [TRAIN]:
        sys.exit(train(sys.argv[2:]))
    main()
