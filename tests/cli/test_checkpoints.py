"""Checkpoints on the command line: the newest one, damaged ones, those of other versions."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cli import ExperimentCLI, main
from lightning_modules.records.checkpoint_file import sealed
from tests.cli.commands import MAZE

LAST = "--ckpt_path=last"


def damage(path: Path) -> None:
    file = bytearray(path.read_bytes())
    file[len(file) // 2] ^= 1
    path.write_bytes(file)


def rewrite(path: Path, **changes: Any) -> Path:
    """Write an intact checkpoint with changed parts; None removes a part."""
    state = torch.load(path, weights_only=True) | changes
    buffer = io.BytesIO()
    torch.save({key: value for key, value in state.items() if value is not None}, buffer)
    older = "format" in changes and changes["format"] is None
    path.write_bytes(buffer.getvalue() if older else sealed(buffer.getvalue()))
    return path


def step_of(run: Path) -> int:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"]


def test_one_line_starts_a_run_and_goes_on_with_it(
    tiny: Callable[..., list[str]], runs: Path, capsys
) -> None:
    line = tiny("fit", MAZE, LAST, "--run=mine")
    for steps in (1, 2):
        main([*line, f"--trainer.max_steps={steps}"])
    (run,) = runs.glob("*/*")
    assert (run.name, step_of(run)) == ("mine", 2)
    said = capsys.readouterr().out
    assert f"{run} has no checkpoint yet; training starts from scratch" in said
    assert f"continues from {run}/checkpoints/last.ckpt" in said


def test_the_newest_run_is_meant_and_its_settings_too(
    fit: Callable[..., Path], runs: Path, tiny: Callable[..., list[str]], capsys
) -> None:
    fit("--run=older", steps=1)
    newer = fit("--run=newer", "--model.memory.slots=3", steps=1)
    previous = newer / "checkpoints/previous.ckpt"
    shutil.copy(newer / "checkpoints/last.ckpt", previous)
    damage(newer / "checkpoints/last.ckpt")
    place = f"--trainer.default_root_dir={runs}"
    main(["fit", "--experiment=dnc_gtmm_maze", LAST, place, "--trainer.max_steps=2"])
    assert step_of(newer) == 2
    said = capsys.readouterr().out
    assert f"continues from {previous}; {newer}/checkpoints/last.ckpt is damaged" in said


def test_what_is_damaged_is_said_with_what_is_not(
    fit: Callable[..., Path], complaint: Callable[..., str]
) -> None:
    run = fit(steps=1)
    last, previous = run / "checkpoints/last.ckpt", run / "checkpoints/previous.ckpt"
    shutil.copy(last, previous)
    damage(last)
    said = complaint("test", f"--ckpt_path={last}")
    assert f"{last} is damaged" in said and f"intact: --ckpt_path {previous}" in said
    # Cut off: no checksum is left, but the rest says that it had one, or is no zip file any more.
    for cut in (10, 1000):
        last.write_bytes(previous.read_bytes()[:-cut])
        assert "damaged" in complaint("fit", f"--ckpt_path={last}")
    damage(previous)
    assert "are damaged" in complaint(
        "fit", MAZE, LAST, f"--trainer.default_root_dir={run.parents[1]}"
    )


def test_versions(fit: Callable[..., Path], complaint: Callable[..., str]) -> None:
    last = fit(steps=1) / "checkpoints/last.ckpt"
    option = f"--ckpt_path={last}"
    rewrite(last, format=3)
    assert "is from a newer version of this program (format 3; known" in complaint("test", option)
    rewrite(last, format=2, optimizer_states=None)
    assert "has only weights" in complaint("fit", option)
    older: dict[str, Any] = {"format": None, "noise_seed": None, "MNISTMaze": {"next_episode": 2}}
    rewrite(last, optimizer_states=[], **older)
    assert "whose noise cannot be continued" in complaint("fit", option, "--trainer.max_steps=2")
    ExperimentCLI(["test", option])


class Code:
    """A class that weights never contain."""


def test_code_is_refused(fit: Callable[..., Path], complaint: Callable[..., str]) -> None:
    last = fit(steps=1) / "checkpoints/last.ckpt"
    rewrite(last, extra=Code())
    said = complaint("test", f"--ckpt_path={last}")
    assert "holds code (tests.cli.test_checkpoints.Code)" in said
    assert "--weights_only=false" in said


def test_a_copy_needs_the_settings_of_its_run(
    fit: Callable[..., Path], complaint: Callable[..., str], tmp_path: Path
) -> None:
    copy = shutil.copy(fit(steps=1) / "checkpoints/last.ckpt", tmp_path / "copy.ckpt")
    said = complaint("test", f"--ckpt_path={copy}")
    assert "is not in a run's folder" in said and "--config RUN/config.yaml" in said
    assert "last needs --config or --experiment" in complaint("test", LAST)


def test_options_win_over_files_wherever_they_stand(build: Callable[..., ExperimentCLI]) -> None:
    """All options before ``--config`` were silently lost."""
    words = ["--trainer.max_steps", "7", "--model.memory.slots=3", "--model.memory=NTM", MAZE]
    settings = build(*words, "-c", "conf/overlays/paper_maze.yaml").settings
    memory = settings.model.init_args.memory
    assert settings.trainer.max_steps == 7
    assert (memory.class_path, memory.init_args.slots) == ("memory_cores.NTM", 3)
