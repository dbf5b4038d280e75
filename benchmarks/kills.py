"""Kills training runs at random moments, resumes them, and compares them with undisturbed ones.

    python benchmarks/kills.py --kills 200

Chains of real processes: each run is killed several times, and restarted each time by the
same command, with ``--ckpt_path last``, until it ends. The reference is one undisturbed run.
Losses of all steps, validations and the final weights must be bitwise equal, no process
and no unfinished file may remain, and each exit status must be what schedulers expect.

``docs/reliability.md`` has the results.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from killable_training import MODELS, ROOT, STEPS, Training, tail

#: Time in which a process may not have installed its signal handlers.
START_SECONDS = 2.0


@dataclass(frozen=True)
class Kill:
    """A way to kill a run."""

    name: str
    number: signal.Signals
    group: bool
    in_a_write: bool = False

    @property
    def statuses(self) -> set[int]:
        """Expected exit statuses of a killed process."""
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
    """Faults of one chain, its kills by name, and the seconds until each process ended."""

    faults: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def kill(training: Training, how: Kill, after: int, draw: random.Random, outcome: Outcome) -> bool:
    """Start a run, and kill it some time after a step; return False if it ended before.

    Args:
        training: the run to start.
        how: the way to kill it.
        after: step after which to kill it.
        draw: source of the random moment.
        outcome: collects the results.
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
        outcome.faults.append(f"{how.name}: still running after 60 s: {tail(training.log)}")
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait(timeout=10)
    outcome.seconds.append(time.monotonic() - sent)
    # A run that was about to finish may exit with 0.
    early = {-how.number} if sent - started < START_SECONDS else set()
    if status not in how.statuses | {0} | early:
        outcome.faults.append(f"{how.name}: status {status}: {tail(training.log)}")
    while training.left() and time.monotonic() < sent + 60:
        time.sleep(0.2)
    if orphans := training.left():
        outcome.faults.append(f"{how.name}: left processes {orphans}")
        for number in orphans:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
    return True


def chain(model: str, processes: int, place: Path, kills: int, seed: int, expected: Any) -> Outcome:
    """Kill one run several times, let it end, and compare it with the reference."""
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
            compare(training, expected, outcome)
        except Exception as failure:
            outcome.faults.append(f"lost: {failure}")
        outcome.faults[:] = [f"{model}, {processes}, {place}, {f}" for f in outcome.faults]
    return outcome


def compare(training: Training, expected: Any, outcome: Outcome) -> None:
    """Compare a killed run with the reference."""
    measures, weights = expected
    actual = training.measures()
    for name, value in measures.items():
        if actual.get(name) != value:
            outcome.faults.append(f"differs: {name} is {actual.get(name)}, not {value}")
            break
    changed = [n for n, value in training.weights().items() if not torch.equal(value, weights[n])]
    if changed:
        outcome.faults.append(f"differs: weights {changed}")
    if training.writes():
        outcome.faults.append("an unfinished file is left")


def reference(model: str, processes: int) -> Any:
    """Train undisturbed, and return all measures and the final weights."""
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        training = Training(Path(folder), model, processes)
        training.finish()
        measures = training.measures()
        assert len([name for name in measures if name.startswith("train/bound")]) == STEPS
        return measures, training.weights()


def chains(kills: int, each: int, places: list[Path]) -> Iterator[tuple[str, int, Path, int]]:
    """Yield enough chains for the number of kills, over all models, processes and file systems."""
    for number in range(-(-kills // each)):
        models = list(MODELS)
        # Every third one has two processes, which take twice as long.
        processes = 2 if number % 3 == 2 else 1
        place = places[number // len(models) % len(places)]
        yield models[number % len(models)], processes, place, number


def main() -> None:
    """Run all chains, and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--each", type=int, default=5, help="kills per run")
    parser.add_argument("--first", type=int, default=0, help="number of chains to skip")
    parser.add_argument("--places", type=Path, nargs="+", default=[Path("/tmp"), Path("/dev/shm")])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # A shell's background jobs ignore Ctrl-C, and their children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    os.chdir(ROOT)
    torch.set_num_threads(1)
    references: dict[tuple[str, int], Any] = {}
    outcomes = []
    for model, processes, place, number in list(
        chains(options.kills, options.each, options.places)
    ):
        if number < options.first:
            continue
        if (model, processes) not in references:
            references[model, processes] = reference(model, processes)
        expected = references[model, processes]
        outcome = chain(model, processes, place, options.each, options.seed + number, expected)
        line = f"{number}: {model}, {processes} in {place}: {dict(outcome.kills)}"
        print(line, *outcome.faults, sep="\n  ", flush=True)
        outcomes.append(outcome)
    kills = sum((outcome.kills for outcome in outcomes), Counter())
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    slowest = max(seconds for outcome in outcomes for seconds in outcome.seconds)
    summary = {"kills": kills.total(), **kills, "chains": len(outcomes), "faults": len(faults)}
    print(json.dumps({**summary, "slowest_exit_s": round(slowest, 1)}, indent=2))
    sys.exit(int(bool(faults)))


if __name__ == "__main__":
    main()
