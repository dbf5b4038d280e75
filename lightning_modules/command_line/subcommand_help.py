"""--help for Lightning's subcommands and the other commands."""

import argparse
import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from lightning.pytorch.cli import LightningArgumentParser

import datamodules
import memory_cores
from lightning_modules import MODELS
from lightning_modules.command_line.class_settings import concrete
from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.word_order import name_of

#: Runs a command on the arguments that follow its name.
Command = Callable[[list[str]], None]
WORDS = "{fit,validate,test,predict} --config FILE [--config FILE] [--KEY=VALUE ...]"
#: Descriptions of Lightning's subcommands.
SUBCOMMANDS = {
    "fit": "Train a model, or resume training.",
    "validate": "Measure a trained model on the validation sequences.",
    "test": "Measure a trained model on the test sequences, draw them, and write results.json.",
    "predict": "Write predictions for the test sequences into predictions.npz.",
}
OPTIONS = {
    "seed_everything": "Seed of weights and noise; `true` draws one (default: 0).",
    "ckpt_path": "Checkpoint file to continue from. One in a run's folder implies that run's "
    "settings, if no --config is named, and the command continues in that folder. `last` is the "
    "newest intact one.",
    "weights_only": "`false` also loads checkpoints that hold Python objects; these can run code "
    "(default: true).",
}
#: Omitted from help: what `listings` shows, and options that only make sense from Python.
ELSEWHERE = ("model", "data", "verbose", "return_predictions")
#: Shows the many options of Lightning's Trainer, which --help omits.
TRAINER_HELP = "--trainer.help"
TRAINER_OPTIONS = {
    "--trainer.max_steps": "Training steps.",
    "--trainer.max_time": "Training time, as DD:HH:MM:SS. Whichever limit comes first ends it.",
    "--trainer.val_check_interval": "Steps between validations.",
    "--trainer.precision": "Precision: 32-true, or bf16-mixed where the processor has bfloat16.",
    "--trainer.accelerator": "cpu, gpu or auto.",
    "--trainer.devices": "Processes on this machine, with --trainer.strategy=ddp.",
    "--trainer.default_root_dir": "Folder of all experiments (default: runs).",
}


def usage(commands: Mapping[str, Command]) -> str:
    """Return the usage of Lightning's subcommands and the other commands."""
    own = f"{program()} {WORDS}"
    return f"{own}\n       {program()} {{{','.join(commands)}}} --help" if commands else own


def list_commands(
    parser: LightningArgumentParser,
    commands: Mapping[str, Command],
    parser_class: type[LightningArgumentParser],
) -> None:
    """Add the other commands to the parser, for --help and for mistyped names."""
    parser.usage = usage(commands)
    listed = parser._subcommands_action
    assert listed is not None
    for command in listed._choices_actions:
        command.help = SUBCOMMANDS[command.dest]
    for name, run in commands.items():
        listed.add_subcommand(name, parser_class(), help=str(run.__doc__).partition("\n")[0])


def suit_options(
    parser: LightningArgumentParser, subcommand: str, commands: Mapping[str, Command]
) -> None:
    """Adapt the options of one of Lightning's subcommands to what they do here."""
    parser.usage = usage(commands)
    parser.description = SUBCOMMANDS[subcommand]
    for group in parser._action_groups:
        if any(action.dest == "ckpt_path" for action in group._group_actions):
            group.title = "trained model"
    for action in parser._actions:
        if action.dest in OPTIONS:
            action.help = OPTIONS[action.dest]
            # The text names type and default where they matter.
            action._jsonargparse_preexpanded_help = True  # type: ignore[attr-defined]
        elif action.dest == "verbose":
            # The run prints its own table.
            action.default = False


def show_first_what_matters(parser: LightningArgumentParser, of_trainer: bool) -> None:
    """Hide the options of Lightning's Trainer from a subcommand's help, or all other options.

    `listings` names models and data, and linked settings cannot be set. Afterwards the parser is
    only good for help: it drops the values of hidden options.
    """
    for group in parser._action_groups:
        for action in group._group_actions:
            part = action.dest.partition(".")[0]
            if part in ELSEWHERE or (part == "trainer") != of_trainer:
                action.help = argparse.SUPPRESS


def without_trainer_help(words: Sequence[str]) -> list[str]:
    """Replace the request for the Trainer's options by --help."""
    return ["--help" if name_of(word) == TRAINER_HELP else word for word in words]


def with_memorys_model(words: Sequence[str]) -> list[str]:
    """Add a model if help on a memory core is requested and no model is named.

    Args:
        words: a subcommand and its options, in order of effect.
    """
    wants_help = any(name_of(word) == "--model.memory.help" for word in words)
    if not wants_help or any(name_of(word) in ("--config", "-c", "--model") for word in words):
        return list(words)
    return [*words[:1], f"--model={MODELS[0].__name__}", *words[1:]]


def listings(subcommand: str) -> str:
    """List models, memory cores, benchmarks and the most common training options."""
    benchmarks = concrete(datamodules.BenchmarkDataModule)
    parts = [
        listing(
            "Models: --model=NAME or a file of conf/models/, settings: --model.help=NAME",
            first_sentences(MODELS),
        ),
        listing(
            "Memory cores: --model.memory=NAME, settings: --model.memory.help=NAME",
            first_sentences(memory_cores.CORES),
        ),
        listing(
            "Benchmarks: --data=NAME or a file of conf/data/, settings: --data.help=NAME",
            first_sentences(benchmarks),
        ),
        listing(f"Training, all options: {program()} {subcommand} {TRAINER_HELP}", TRAINER_OPTIONS),
    ]
    return "\n".join(parts)


def first_sentences(classes: Iterable[type]) -> dict[str, str]:
    """Return the first line of each class's docstring by its name."""
    return {each.__name__: str(each.__doc__).partition("\n")[0] for each in classes}


def listing(heading: str, meanings: Mapping[str, str]) -> str:
    """Format names and their meanings below a heading, as argparse does."""
    lines, gap, width = [heading], " " * 24, shutil.get_terminal_size().columns - 2
    for name, meaning in meanings.items():
        label = f"  {name}"
        fits = len(label) < len(gap) - 1
        if not fits:
            lines.append(label)
        start = label.ljust(len(gap)) if fits else gap
        lines += textwrap.wrap(meaning, width, initial_indent=start, subsequent_indent=gap)
    return "\n".join(lines) + "\n"
