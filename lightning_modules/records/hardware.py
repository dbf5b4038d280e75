"""Name of the processor or GPU that trains; times are comparable only on the same one."""

import platform
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")


def hardware(device: torch.device) -> str:
    """Return the name of the GPU, or of the processor with its number of threads.

    Args:
        device: device of the model.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s' * (threads > 1)}"


def processor() -> str:
    """Return the processor's model name, or its architecture if the name is unknown."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), "") or platform.processor() or platform.machine()
