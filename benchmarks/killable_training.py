"""Trainings that may be killed: forked, in folders of their own, with checkpoints all the time."""

import csv
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import cli  # noqa: E402
from lightning_modules.callbacks.checkpoints import LastCheckpoint  # noqa: E402
from lightning_modules.callbacks.pictures import Pictures  # noqa: E402

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
#: Ten batches an epoch, and three sequences more.
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


if __name__ == "__main__":
    # The second process of a training, which Lightning starts.
    sys.exit(train(sys.argv[2:]))
