"""What a memory core and its process need once before they run on a CPU, and what is said of it."""

import ctypes
import time
from textwrap import shorten

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from memory_cores import MemoryCore

#: Whatever takes less is not worth a line.
WORTH_A_LINE_S = 2.0
#: Options of glibc's ``mallopt``, and values that no tensor of a step reaches.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 2**31 - 1, 2**30
ACCEPTED = 1


def prepare(core: MemoryCore) -> None:
    """Prepare a core, and say what took long or what is missing."""
    keep_freed_memory()
    name, started = type(core).__name__, time.perf_counter()
    try:
        core.prepare()
    except (RuntimeError, OSError) as error:
        why = shorten(str(error).partition("\n")[0], 120, placeholder=" ...")
        say(f"{name} runs at half its speed, since its C++ operators can not be built: {why}")
        return
    took = time.perf_counter() - started
    if took > WORTH_A_LINE_S:
        say(f"Built C++ operators for {name} in {took:.0f} s; later runs find them")


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back to the system.

    Of tensors above 32 MB glibc gives each back at once, and takes the next one zeroed, page by
    page: half of a step's time with a window of 4,096 slots.
    """
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
