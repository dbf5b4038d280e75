"""Parts of command lines that build a model and data in no time, and what commands print."""

import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = (
    "--data.train_size=8",
    "--data.val_size=4",
    "--data.test_size=4",
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--trainer.limit_val_batches=1",
    "--trainer.accelerator=cpu",
)
SMALL_CONTROLLER = ("--model.controller_size=8",)
SHORT_MAZE = ("--data.sequence_length=6",)
SHORT_RECALL = ("--data.pre_recall_length=10", "--data.recall_length=2")
#: Neural processes: 4 steps, of which 2 have a context.
SHORT_FUNCTIONS = (
    "--model.hidden_size=8",
    "--model.test_samples=2",
    "--data.sequence_length=4",
    "--data.context_steps=2",
    "--data.contexts=[1,3]",
    "--data.most_points=6",
)
FEW_POINTS = ("--data.train_points=20", "--data.test_points=20")
NO_CURRICULUM = "--data.curriculum=null"
EMBEDDED = {
    "digits": ("--data.source=mnist5k", NO_CURRICULUM),
    "faces": ("--data.source=faces", NO_CURRICULUM),
}
MAZE = "--config=conf/dnc_gtmm_maze.yaml"


def begun(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """A process in the project's folder, all that it says in one stream of text."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests in the background passes a deaf ear to Ctrl-C on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def cells(said: str) -> dict[str, list[str]]:
    """Rows of the table that `compare` prints, by core."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in said.split("\n\n")[0].splitlines()[2:]]
    return {row[1]: row for row in rows}
