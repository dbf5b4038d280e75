"""What a memory core needs once before it runs on a CPU, and what is said of it."""

import time
from textwrap import shorten

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from memory_cores import MemoryCore

#: Whatever takes less is not worth a line.
WORTH_A_LINE_S = 2.0


def prepare(core: MemoryCore) -> None:
    """Prepare a core, and say what took long or what is missing."""
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


@rank_zero_only
def say(line: str) -> None:
    """Print a line once, whatever the number of processes."""
    print(line, flush=True)
