"""Checks that memory and open files do not grow in a long training run.

    python benchmarks/endurance.py --steps 20000

A small SNP trains from the command line, with all callbacks, loggers, pictures and checkpoints. The
first fifth is ignored: caches fill, and freed memory is retained for reuse.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import cli  # noqa: E402
from lightning_modules.command_line import experiment_cli  # noqa: E402

MIB = 2**20
#: Maximum growth, in MiB per 1,000 steps.
MOST_GROWTH = 1.0
SMALL = (
    "--config=conf/snp_gp_sparse.yaml",
    "--data.sequence_length=4",
    "--data.context_steps=2",
    "--data.contexts=[1,3]",
    "--data.most_points=6",
    "--data.curriculum=null",
    "--data.train_points=20",
    "--data.test_points=20",
    "--data.batch_size=2",
    "--data.train_size=100",
    "--data.val_size=4",
    "--data.test_size=4",
    "--model.hidden_size=8",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=25",
    "--trainer.val_check_interval=500",
)


class Growth(L.Callback):
    """Records memory in MiB and the number of open files, every 500 steps."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.memory: list[float] = []
        self.files: list[int] = []

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Record them if it is due."""
        # Halfway between two validations.
        if trainer.global_step % 500 == 250:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            self.steps.append(trainer.global_step)
            self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / MIB)
            self.files.append(len(os.listdir("/proc/self/fd")))


def main() -> None:
    """Train, and print the growth of memory and open files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20_000)
    steps = parser.parse_args().steps
    os.chdir(ROOT)
    os.environ.setdefault("WANDB_MODE", "offline")
    growth, own = Growth(), experiment_cli.run_callbacks
    experiment_cli.run_callbacks = lambda *args: [*own(*args), growth]  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as runs:
        words = [*SMALL, f"--trainer.max_steps={steps}", f"--trainer.default_root_dir={runs}"]
        cli.main(["fit", *words, "--data.num_workers=1"])
    later = len(growth.steps) // 5
    slope = np.polyfit(growth.steps[later:], growth.memory[later:], 1)[0] * 1000
    files = growth.files[later:]
    results = {
        "steps": steps,
        "mib_per_1000_steps": round(float(slope), 3),
        "mib": [round(growth.memory[later]), round(growth.memory[-1])],
        "open_files": [min(files), max(files)],
    }
    print(json.dumps(results))
    sys.exit(int(slope > MOST_GROWTH or files[0] != files[-1]))


if __name__ == "__main__":
    main()
