"""What --help says of Lightning's subcommands, and of the commands beside them."""

from collections.abc import Callable, Mapping

from lightning.pytorch.cli import LightningArgumentParser

#: Runs a command on the words that follow its name.
Command = Callable[[list[str]], None]
USAGE = "python cli.py {fit,validate,test,predict} --config FILE [--config FILE] [--KEY=VALUE ...]"
CKPT_PATH = (
    "A checkpoint file to go on from. One in a run's folder brings that run's settings, if no "
    "--config is named, and the command goes on in that folder."
)


def usage(others: Mapping[str, Command]) -> str:
    """Say how commands are called: Lightning's, and the others."""
    return f"{USAGE}\n       python cli.py {{{','.join(others)}}} --help" if others else USAGE


def list_commands(
    parser: LightningArgumentParser,
    others: Mapping[str, Command],
    parser_class: type[LightningArgumentParser],
) -> None:
    """Name the other commands beside Lightning's, for --help and for mistyped names."""
    parser.usage = usage(others)
    listed = parser._subcommands_action
    assert listed is not None
    for name, command in others.items():
        listed.add_subcommand(name, parser_class(), help=str(command.__doc__).partition("\n")[0])


def suit_options(parser: LightningArgumentParser, others: Mapping[str, Command]) -> None:
    """Fit the options of one of Lightning's subcommands to what they do here."""
    parser.usage = usage(others)
    for action in parser._actions:
        if action.dest == "ckpt_path":
            action.help = CKPT_PATH
        elif action.dest == "verbose":
            # The run prints a table of its own.
            action.default = False
