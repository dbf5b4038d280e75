"""A script that becomes a program which is interrupted when its parent process dies.

So even SIGKILL of a sweep leaves no run behind: each saves its state and ends. Arguments: the
parent's process id, and the program's command line.
"""

import ctypes
import os
import signal
import sys

#: Option of Linux's prctl that sets the parent-death signal; it survives exec.
PR_SET_PDEATHSIG = 1


def main(parent: int, words: list[str]) -> None:
    """Set the parent-death signal, and become the program.

    Args:
        parent: id of the process at whose death the program is interrupted.
        words: the program's command line.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() == parent:
        os.execvp(words[0], words)
    # Otherwise the parent died before prctl took effect.


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
