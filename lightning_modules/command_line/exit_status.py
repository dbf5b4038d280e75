"""Statuses that a command ends with beside 0, 1 (failed) and 2 (a mistake in what was asked)."""

#: A loss or a gradient was not finite; the last good checkpoint is as it was.
DIVERGED = 3
#: Ended by Ctrl-C, SIGINT, after its state was saved: 128 + the signal's number, as in shells.
INTERRUPTED = 130
#: Nobody reads the output any more: 128 + the number of SIGPIPE.
UNREAD = 141
#: Ended by SIGTERM, as schedulers send it, after its state was saved.
TERMINATED = 143
