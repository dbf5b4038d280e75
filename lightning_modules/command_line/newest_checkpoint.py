"""``--ckpt_path last``: the newest intact checkpoint of a run or experiment."""

import re
from pathlib import Path

from lightning_modules.command_line.checkpoint_check import is_intact
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown

LAST = "last"


def newest_checkpoint(root: Path, experiment: str, run: str | None) -> tuple[Path | None, str]:
    """Find the checkpoint to resume from.

    Args:
        root: the folder of all experiments.
        experiment: name of the experiment.
        run: name of the run, which also matches runs with a number appended; None for any run.

    Returns:
        The file, None if no run has one yet; and a one-line message.

    Raises:
        UsageError: the newest run has only damaged checkpoints.
    """
    runs = [RunFolder(path) for path in (root / experiment).glob("*") if _is_run(path, run)]
    saved = [folder for folder in runs if folder.states]
    place = shown(root / experiment / (run or ""))
    if not saved:
        return None, f"ckpt_path: {place} has no checkpoint yet; training starts from scratch"
    newest = max(saved, key=lambda folder: max(p.stat().st_mtime_ns for p in folder.states))
    damaged: list[str] = []
    for path in newest.states:
        if is_intact(path):
            message = f"ckpt_path: continues from {shown(path)}"
            return path, f"{message}; {', '.join(damaged)} is damaged" if damaged else message
        damaged.append(shown(path))
    are = "is" if len(damaged) == 1 else "are"
    raise UsageError(
        f"ckpt_path: {' and '.join(damaged)} {are} damaged; name another with --ckpt_path"
    )


def _is_run(path: Path, run: str | None) -> bool:
    return run is None or re.fullmatch(rf"{re.escape(run)}(-\d+)?", path.name) is not None
