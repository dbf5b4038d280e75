"""Training runs to be killed: forked, in separate folders, with frequent checkpoints."""

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

#: First argument of a training process.
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
#: Ten batches per epoch, plus three sequences.
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

    Imports take longer than training. Lightning starts the second process of a run itself, as
    usual.

    Args:
        words: arguments of the command line.
        log: file for its output.
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
        """Return the exit status if it has ended, negative if ended by a signal."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the process to end.

        Raises:
            TimeoutError: it has not ended in time.
        """
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise TimeoutError
            time.sleep(0.01)
        return status


class Training:
    """A training run in its own folder, which can be restarted.

    Args:
        root: folder of its runs.
        model: one of ``MODELS``.
        processes: 1 or 2.
    """

    def __init__(self, root: Path, model: str, processes: int) -> None:
        config, *options = MODELS[model]
        self.root, self.folder = root, root / "kills" / "run"
        ddp = ("--trainer.devices=2", "--trainer.strategy=ddp") if processes == 2 else ()
        workers = f"--data.num_workers={1 if processes == 1 else 0}"
        words = [f"--config=conf/{config}.yaml", *options, *COMMON, *ddp, workers]
        words += ["--experiment=kills", f"--trainer.default_root_dir={root}"]
        self.command = ["fit", *words]
        self.log = root / "log.txt"

    def start(self) -> "Process":
        """Start or restart it, as the leader of a process group."""
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
        """Return the rows of metrics.csv; the last may be incomplete."""
        with suppress(OSError), open(self.folder / "metrics.csv", encoding="utf-8") as file:
            return list(csv.DictReader(file))
        return []

    def step(self) -> int:
        """Return the last logged step."""
        rows = self.rows()
        with suppress(TypeError, ValueError, KeyError, IndexError):
            return int(float(rows[-1]["step"]))
        return 0

    def measures(self) -> dict[str, set[str]]:
        """Return all logged values of every step's loss and validation, as text."""
        values: dict[str, set[str]] = {}
        for row in self.rows():
            for name in ("train/bound", "train/kl", "val/bound", "val/kl"):
                if row.get(name):
                    values.setdefault(f"{name} at {float(row['step']):.0f}", set()).add(row[name])
        return values

    def weights(self) -> dict[str, Any]:
        """Load the final weights."""
        last = self.folder / "checkpoints/last.ckpt"
        content = torch.load(last, map_location="cpu", weights_only=True)
        if content["global_step"] != STEPS:
            raise RuntimeError(f"ended at step {content['global_step']}")
        return content["state_dict"]

    def writes(self, since: float = 0.0) -> bool:
        """Return whether a checkpoint is being written since a time."""
        with suppress(OSError):
            for entry in os.scandir(self.folder / "checkpoints"):
                if entry.name.startswith(".") and entry.stat().st_mtime > since:
                    return True
        return False

    def left(self) -> list[int]:
        """List the ids of its remaining processes."""
        mark = os.fsencode(f"--trainer.default_root_dir={self.root}")
        values = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if mark in entry.read_bytes():
                    values.append(int(entry.parent.name))
        return values


def tail(log: Path) -> str:
    """Return the end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]


def train(words: list[str]) -> int:
    """Run a command line with frequent checkpoints and without pictures; return its exit status."""
    sys.argv = [__file__, TRAIN, *words]  # Lightning starts the second process with it
    LastCheckpoint.__init__.__defaults__ = (0.2, 0.4)  # type: ignore[attr-defined]
    Pictures.on_validation_end = lambda *args: None  # type: ignore[method-assign]
    try:
        cli.main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    # The second process of a run, started by Lightning.
    sys.exit(train(sys.argv[2:]))
