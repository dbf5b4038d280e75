"""One-time preparation of a process that runs a model on a CPU."""

import ctypes
import os
import sys
import time
from textwrap import shorten

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from memory_cores.kernels import building

#: Environment variable: "0" disables the C++ operators.
OPERATORS = "GTMM_OPERATORS"
#: Seconds from which a build is reported.
REPORTED_S = 2.0
#: Options of glibc's ``mallopt``, and values above the size of any tensor in a step.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 2**31 - 1, 2**30
ACCEPTED = 1


def prepare() -> None:
    """Keep freed memory and build the C++ operators; print a line if they are slow or missing."""
    keep_freed_memory()
    if os.environ.get(OPERATORS) == "0":
        say(f"C++ operators are disabled ({OPERATORS}=0): loops over time take longer")
        return
    started = time.perf_counter()
    try:
        building.build(announce)
    except (RuntimeError, OSError) as error:
        why = shorten(str(error).partition("\n")[0], 120, placeholder=" ...")
        say(f"Loops over time take longer, since their C++ operators cannot be built: {why}")
        return
    took = time.perf_counter() - started
    if took > REPORTED_S:
        say(f"Built C++ operators in {took:.0f} s; later runs reuse them")


def announce() -> None:
    """Print what is being built, how long it takes, and how to disable it."""
    say(
        "Building C++ operators, once: this takes half a minute, or several minutes on a busy "
        f"processor. {OPERATORS}=0 disables them; steps then take up to 2.5 times as long"
    )


def keep_freed_memory() -> None:
    """Let this process reuse freed memory instead of returning it to the system.

    glibc returns tensors above 32 MB immediately, and the next ones are zeroed page by page: half
    of a step's time with a window of 4,096 slots.
    """
    if sys.platform == "win32":  # has neither mallopt nor CDLL(None)
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return
    # Old releases refuse so large a value. Either option ends glibc's own adjustment of both, so
    # the second without the first would be worse than neither.
    if mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES) == ACCEPTED:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


@rank_zero_only
def say(line: str) -> None:
    """Print a line once, whatever the number of processes."""
    print(line, flush=True)
