"""``--ckpt_path last``: the newest intact checkpoint of a run, or of an experiment's newest run."""

import re
from pathlib import Path

from lightning_modules.command_line.checkpoint_check import is_intact
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown

LAST = "last"


def newest_checkpoint(root: Path, experiment: str, run: str | None) -> tuple[Path | None, str]:
    """Find the state from which to go on.

    Args:
        root: the folder of all experiments.
        experiment: whose runs are meant.
        run: name of the run; those that got a number because the name was taken are it, too.

    Returns:
        The file, None if no run has one yet; and what was found, in a line.

    Raises:
        UsageError: the newest run has damaged ones only.
    """
    runs = [RunFolder(path) for path in (root / experiment).glob("*") if _is_run(path, run)]
    saved = [folder for folder in runs if folder.states]
    wanted = shown(root / experiment / (run or ""))
    if not saved:
        return None, f"ckpt_path: {wanted} has no checkpoint yet; training starts from scratch"
    newest = max(saved, key=lambda folder: max(p.stat().st_mtime_ns for p in folder.states))
    damaged: list[str] = []
    for path in newest.states:
        if is_intact(path):
            found = f"ckpt_path: continues from {shown(path)}"
            return path, f"{found}; {', '.join(damaged)} is damaged" if damaged else found
        damaged.append(shown(path))
    are = "is" if len(damaged) == 1 else "are"
    raise UsageError(
        f"ckpt_path: {' and '.join(damaged)} {are} damaged; name another with --ckpt_path"
    )


def _is_run(path: Path, run: str | None) -> bool:
    return run is None or re.fullmatch(rf"{re.escape(run)}(-\d+)?", path.name) is not None
