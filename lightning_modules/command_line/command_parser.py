"""Options of a command that is none of Lightning's."""

import argparse
from collections.abc import Sequence
from itertools import takewhile
from typing import NoReturn

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.mistakes import UsageError, nearest


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

    def parse(self, args: Sequence[str]) -> argparse.Namespace:
        """Parse words in any order; argparse would miss a required option before a mistyped one."""
        known = self._option_string_actions
        for word in takewhile(lambda word: word != "--", args):
            option = word.partition("=")[0]
            if option.startswith("--") and option not in known:
                self.error(f"{option}: there is no such option{nearest(option, known)}")
        return self.parse_intermixed_args(args)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where to find what would be right."""
        raise UsageError(f"{message}\nhelp: {self.prog} --help")
