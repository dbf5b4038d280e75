"""Names of runs' folders, which say the values that were varied."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lightning_modules.command_line.sweep.parameter import is_number
from lightning_modules.command_line.sweep.trials import Trial

#: W&B's names have at most 128 characters, of which the experiment's takes some.
LONGEST = 80
DIGEST = 6
#: As in the names of other runs.
SHORT = {"seed_everything": "seed"}


def run_name(trial: Trial, varied: Sequence[str], numbered: bool) -> str:
    """A name such as ``NTM-learning_rate0.001-slots16``.

    Args:
        trial: the run's.
        varied: settings that are not the same for all runs.
        numbered: begin with the trial's number, where values alone may not tell runs apart.
    """
    keys = short_keys(varied)
    parts = [part(keys[key], trial.values[key]) for key in varied]
    name = "-".join([f"{trial.number:03d}"] * numbered + parts) or "run"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - DIGEST - 1]}-{digest(trial)}"


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """The last word of each setting, all words of those that share it."""
    full = {key: SHORT.get(key, key) for key in keys}
    last = [key.rpartition(".")[2] for key in full.values()]
    return {k: end if last.count(end) == 1 else full[k] for k, end in zip(full, last, strict=True)}


def part(key: str, value: Any) -> str:
    """Text says itself what it is; other values follow their setting."""
    if isinstance(value, str):
        text = Path(value).stem if value.endswith((".yaml", ".yml")) else value
    elif is_number(value):
        text = f"{key}{value:.4g}" if isinstance(value, float) else f"{key}{value}"
    else:
        text = f"{key}_{json.dumps(value)}"
    return re.sub(r"[^a-zA-Z0-9.+-]+", "_", text).strip("_")


def digest(trial: Trial) -> str:
    """Tells apart names that begin alike."""
    text = json.dumps(trial.values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]
