"""Records the machine and the versions of a measurement."""

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
# Measure this checkout, since another one may be installed; scripts import this module first.
sys.path.insert(0, str(ROOT))
from lightning_modules.records.versions import package_version, revision  # noqa: E402


def processor() -> str:
    """Return the CPU's name, family and model, since virtual CPUs of all kinds share a name."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        first = ""
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", first, flags=re.M))
    if len(fields) < 3:
        return platform.processor() or platform.machine()
    return "{model name}, family {cpu family} model {model}".format_map(fields)


def load() -> float | None:
    """Return the load average of the last minute; None if unavailable."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def record(device: torch.device, bf16: bool = False) -> dict[str, Any]:
    """Return machine, versions, revision and threads."""
    cuda = device.type == "cuda"
    return {
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "device": torch.cuda.get_device_name(device) if cuda else "cpu",
            "load_at_start": load(),
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "dnc": package_version("dnc"),
        },
        "git_revision": revision(),
        "threads": torch.get_num_threads(),
        "precision": "bf16 autocast" if bf16 else "float32",
    }


def heading(record: dict[str, Any]) -> str:
    """Describe device, precision and threads."""
    threads = record["threads"]
    return (
        f"{record['machine']['device']}, {record['precision']}, "
        f"{threads} thread{'s' if threads > 1 else ''}"
    )


def results_file(record: dict[str, Any], benchmark: str) -> Path:
    """Return the file of this machine's results."""
    machine = record["machine"]
    name = machine["processor"] if machine["device"] == "cpu" else machine["device"]
    words = f"{benchmark} {name} {record['precision'].split()[0]} threads {record['threads']}"
    return ROOT / "benchmarks/results" / f"{re.sub('[^a-z0-9]+', '-', words.lower())}.json"
