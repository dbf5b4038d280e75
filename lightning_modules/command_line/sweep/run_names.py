"""Names of runs' folders, which include the varied values."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_modules.command_line.sweep.parameter import is_number

#: W&B's names have at most 128 characters, including the experiment's name.
LONGEST = 80
DIGEST = 6
#: Short forms, as in the names of other runs.
SHORT = {"seed_everything": "seed"}


def run_name(number: int | None, values: Mapping[str, Any], varied: Sequence[str]) -> str:
    """Return a name such as ``NTM-learning_rate0.001-slots16``.

    Args:
        number: first part of the name, if values may not tell runs apart.
        values: by setting.
        varied: settings that differ between runs.
    """
    keys = short_keys(varied)
    first = [] if number is None else [f"{number:03d}"]
    name = "-".join([*first, *(part(keys[key], values[key]) for key in varied)]) or "run"
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{name[: LONGEST - DIGEST - 1]}-{digest[:DIGEST]}"


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return each key's last word, or the full key if others share that word."""
    full = {key: SHORT.get(key, key) for key in keys}
    last = [key.rpartition(".")[2] for key in full.values()]
    return {k: end if last.count(end) == 1 else full[k] for k, end in zip(full, last, strict=True)}


def part(key: str, value: Any) -> str:
    """Return a value's part of the name: text alone, other values after their key."""
    if isinstance(value, str):
        text = Path(value).stem if value.endswith((".yaml", ".yml")) else value
    elif is_number(value):
        text = f"{key}{value:.4g}" if isinstance(value, float) else f"{key}{value}"
    else:
        text = f"{key}_{json.dumps(value)}"
    return re.sub(r"[^a-zA-Z0-9.+-]+", "_", text).strip("_")
