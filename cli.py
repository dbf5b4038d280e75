"""The command line: fit, validate, test and predict any model with any memory core on any data.

python cli.py fit --config conf/dnc_gtmm_maze.yaml --model.memory=NoMemory

``COMMANDS`` are those that are not Lightning's. In a wheel this file is ``gtmm.cli``, which
the command ``gtmm`` runs.
"""

import os
import signal
import sys
from types import FrameType


def leave(number: int, frame: FrameType | None) -> None:
    """Exit immediately."""
    os.write(2, b"\nInterrupted before the run began.\n")
    os._exit(128 + number)


#: Run as a program, not imported by a test.
IS_PROGRAM = __name__ in ("__main__", "gtmm.cli")
on_interrupt = signal.getsignal(signal.SIGINT)
try:
    # Imports take seconds, and may turn an interruption into another error; nothing is lost by
    # exiting.
    if IS_PROGRAM and on_interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from lightning_modules.callbacks.stop_signals import Stopped, StopSignals
    from lightning_modules.command_line.compare import compare
    from lightning_modules.command_line.dashboard import dashboard
    from lightning_modules.command_line.exit_status import INTERRUPTED, UNREAD
    from lightning_modules.command_line.experiment_cli import ExperimentCLI
    from lightning_modules.command_line.keep import keep
    from lightning_modules.command_line.oracle import oracle
    from lightning_modules.command_line.parameters import parameters
    from lightning_modules.command_line.probe import probe
    from lightning_modules.command_line.quiet_libraries import quiet_libraries
    from lightning_modules.command_line.release import release
    from lightning_modules.command_line.reproduce.command import reproduce
    from lightning_modules.command_line.rerun import rerun
    from lightning_modules.command_line.subcommand_help import Command
    from lightning_modules.command_line.sweep.command import sweep
    from lightning_modules.command_line.text_encoding import accept_any_text, ensure_utf8
    from lightning_modules.command_line.usage_error import UsageError
finally:
    if IS_PROGRAM:
        signal.signal(signal.SIGINT, on_interrupt)

#: Commands besides Lightning's; --help shows the first line of each docstring.
COMMANDS: dict[str, Command] = {
    "parameters": parameters,
    "compare": compare,
    "keep": keep,
    "release": release,
    "sweep": sweep,
    "reproduce": reproduce,
    "dashboard": dashboard,
    "oracle": oracle,
    "rerun": rerun,
    "probe": probe,
}


def main(args: list[str] | None = None) -> None:
    """Run one command.

    Args:
        args: command line; default: the process's own.
    """
    quiet_libraries()
    accept_any_text()
    name, *options = (sys.argv[1:] if args is None else args) or [""]
    try:
        if name in COMMANDS:
            COMMANDS[name](options)
        else:
            with StopSignals() as signals:
                ExperimentCLI(args, COMMANDS, signals)
    except UsageError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Stopped as stop:
        print("\nInterrupted before the run began.", file=sys.stderr)
        sys.exit(128 + stop.signal)


def program() -> None:
    """Run the process's command line; exit quietly if the output pipe closes, as in ``| head``."""
    ensure_utf8()
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNREAD)


if __name__ == "__main__":
    program()
