"""Preparation of a process that runs a model on a CPU, once, with a line for what takes long."""

import ctypes
import os
import sys
import time
from textwrap import shorten

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from memory_cores.kernels import building

#: Variable of the environment: "0" leaves C++ operators out.
OPERATORS = "GTMM_OPERATORS"
#: Seconds below which building is not worth a line.
WORTH_A_LINE_S = 2.0
#: Options of glibc's ``mallopt``, and values that no tensor of a step reaches.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 2**31 - 1, 2**30
ACCEPTED = 1


def prepare() -> None:
    """Keep freed memory, build the C++ operators, and print what takes long or is missing."""
    keep_freed_memory()
    if os.environ.get(OPERATORS) == "0":
        say(f"Loops over time take longer, since C++ operators are switched off ({OPERATORS}=0)")
        return
    started = time.perf_counter()
    try:
        building.build(announce)
    except (RuntimeError, OSError) as error:
        why = shorten(str(error).partition("\n")[0], 120, placeholder=" ...")
        say(f"Loops over time take longer, since their C++ operators cannot be built: {why}")
        return
    took = time.perf_counter() - started
    if took > WORTH_A_LINE_S:
        say(f"Built C++ operators in {took:.0f} s; later runs find them")


def announce() -> None:
    """Say what is built, how long that takes, and how to do without it."""
    say(
        "Building C++ operators, once: this takes half a minute, or several minutes on a busy "
        f"processor. {OPERATORS}=0 leaves them out; steps then take up to 2.5 times as long"
    )


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back to the system.

    glibc returns tensors above 32 MB at once, and gets the next one zeroed, page by page: half of a
    step's time with a window of 4,096 slots.
    """
    if sys.platform == "win32":  # has neither this function nor a library without a name
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # other C libraries have none
        return
    # Old releases refuse so large a value. Either option ends glibc's own adjustment of both, so
    # that the second without the first would be worse than neither.
    if mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES) == ACCEPTED:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


@rank_zero_only
def say(line: str) -> None:
    """Print a line once, whatever the number of processes."""
    print(line, flush=True)
