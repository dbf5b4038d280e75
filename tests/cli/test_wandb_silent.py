"""Training in its own process, with a W&B server that accepts connections but never answers."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import MAZE, begun
from tests.cli.wandb_stub import KEY
from tests.lightning_modules.command_line.wandb_servers import silent

pytestmark = pytest.mark.processes


def test_a_silent_server_costs_a_line_and_seconds(
    tmp_path: Path, tiny: Callable[..., list[str]], runs: Path
) -> None:
    theirs = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    folders = {f"WANDB_{name}_DIR": f"{tmp_path}/{name}" for name in ("CONFIG", "CACHE", "DATA")}
    with silent() as address:
        server = {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "cli.py", *tiny("fit", MAZE, "--trainer.max_steps=1")]
        process = begun(command, theirs | folders | server)
        began = time.monotonic()
        said = process.communicate(timeout=90)[0]
        took = time.monotonic() - began
    assert process.returncode == 0, said
    (folder,) = runs.glob("*/*")
    (offline,) = (folder / "wandb").glob("*run-*")
    line = (
        f"W&B: {address} did not answer within 5 s; the run is stored offline; "
        "upload it later: wandb sync"
    )
    assert [words for words in said.splitlines() if "W&B" in words] == [f"{line} {offline}"]
    assert "Traceback" not in said
    # Starting takes most of it; W&B alone took 95 s.
    assert took < 60
    assert (folder / "checkpoints/last.ckpt").is_file()
