"""Options of a command that is none of Lightning's."""

import argparse
from typing import NoReturn

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.mistakes import UsageError


class CommandParser(argparse.ArgumentParser):
    """Reports mistakes as the other commands do.

    Args:
        name: of the command.
        description: for --help, printed as it is.
    """

    def __init__(self, name: str, description: str) -> None:
        super().__init__(
            prog=f"{program()} {name}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where to find what would be right."""
        raise UsageError(f"{message}\nhelp: {self.prog} --help")
