"""Exit statuses besides 0 (success), 1 (failure) and 2 (usage error)."""

#: A loss or gradient was not finite; the last good checkpoint is unchanged.
DIVERGED = 3
#: Ended by SIGINT (Ctrl-C) after saving the state: 128 + the signal's number, as in shells.
INTERRUPTED = 130
#: The reader of the output closed the pipe: 128 + the number of SIGPIPE.
UNREAD = 141
#: Ended by SIGTERM, as sent by schedulers, after saving the state.
TERMINATED = 143
