"""Exit codes that say how a run ended."""

#: By Ctrl-C, as shells count: 128 and the signal's number.
INTERRUPTED = 130
#: By SIGTERM, as schedulers send it.
TERMINATED = 143
#: By a loss or a gradient that is not finite.
DIVERGED = 3
