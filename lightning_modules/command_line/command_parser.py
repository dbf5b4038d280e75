"""Parses the options of commands that are not Lightning's."""

import argparse
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import NoReturn

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.usage_error import UsageError, nearest


def require_posix(name: str) -> None:
    """Reject Windows for a command that starts and ends processes.

    Raises:
        UsageError: this is Windows.
    """
    if sys.platform == "win32":
        raise UsageError(f"{name}: needs locks and signals that Windows lacks; run this in WSL")


class CommandParser(argparse.ArgumentParser):
    """Reports usage errors in the same form as Lightning's commands.

    Args:
        name: the command's name.
        description: printed verbatim by --help.
    """

    def __init__(self, name: str, description: str) -> None:
        super().__init__(
            prog=f"{program()} {name}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse(self, args: Sequence[str]) -> argparse.Namespace:
        """Parse arguments in any order; report a mistyped option before a missing required one."""
        known = self._option_string_actions
        for word in takewhile(lambda word: word != "--", args):
            option = word.partition("=")[0]
            if option.startswith("--") and option not in known:
                self.error(f"{option}: there is no such option{nearest(option, known)}")
        return self.parse_intermixed_args(args)

    def parse_with_settings(self, args: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Parse this command's own arguments, and return experiments' settings unparsed.

        Every other option is a setting, as ``--key=value``.
        """
        words = self._joined(args)
        settings = [word for word in words if self._is_setting(word)]
        return self.parse([word for word in words if not self._is_setting(word)]), settings

    def _joined(self, args: Sequence[str]) -> list[str]:
        """Join ``--key value`` as ``--key=value``, so that no value is mistaken for a file name."""
        words: list[str] = []
        for arg in args:
            if words and self._lacks_value(words[-1]) and not arg.startswith("--"):
                words[-1] += f"={arg}"
            else:
                words.append(arg)
        return words

    def _lacks_value(self, word: str) -> bool:
        action = self._option_string_actions.get(word)
        is_flag = action is not None and action.nargs == 0
        return word.startswith("--") and "=" not in word and not is_flag

    def _is_setting(self, word: str) -> bool:
        option = word.partition("=")[0]
        return option.startswith("--") and option not in self._option_string_actions

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError that points to --help."""
        raise UsageError(f"{message}\nhelp: {self.prog} --help")
