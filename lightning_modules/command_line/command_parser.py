"""Options of a command that is none of Lightning's."""

import argparse
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import NoReturn

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.usage_error import UsageError, nearest


def require_posix(name: str) -> None:
    """Refuse a command that starts and ends processes where the system lacks what that takes.

    Raises:
        UsageError: this is Windows.
    """
    if sys.platform == "win32":
        raise UsageError(f"{name}: needs locks and signals that Windows lacks; run this in WSL")


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

    def parse_with_settings(self, args: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Parse this command's own words, and return experiments' settings as they are.

        Every other option is a setting, as ``--key=value``.
        """
        words = self._joined(args)
        settings = [word for word in words if self._is_setting(word)]
        return self.parse([word for word in words if not self._is_setting(word)]), settings

    def _joined(self, args: Sequence[str]) -> list[str]:
        """``--key value`` as ``--key=value``, so that no value is taken for a file's name."""
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
        """Say what is wrong, and where to find what would be right."""
        raise UsageError(f"{message}\nhelp: {self.prog} --help")
