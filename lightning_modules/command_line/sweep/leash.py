"""A script: becomes a program that is interrupted when the process that started it dies.

Even SIGKILL of a sweep then leaves no run behind: each saves its state and ends. It takes the
number of the process that starts it, and the program's command line.
"""

import ctypes
import os
import signal
import sys

#: An option of Linux's prctl; a program keeps it in place of which another one is executed.
PR_SET_PDEATHSIG = 1


def main(parent: int, words: list[str]) -> None:
    """Take the leash, and become the program.

    Args:
        parent: the process at whose death the program ends.
        words: of the program's command line.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() == parent:
        os.execvp(words[0], words)
    # It died before that.


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
