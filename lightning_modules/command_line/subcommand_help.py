"""What --help says of Lightning's subcommands, and of the commands beside them."""

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

#: Runs a command on the words that follow its name.
Command = Callable[[list[str]], None]
WORDS = "{fit,validate,test,predict} --config FILE [--config FILE] [--KEY=VALUE ...]"
#: Lightning's subcommands, in our words.
SUBCOMMANDS = {
    "fit": "Train a model, or resume a training.",
    "validate": "Measure a trained model on the validation sequences.",
    "test": "Measure a trained model on the test sequences, draw them, and write results.json.",
    "predict": "Write predictions for the test sequences into predictions.npz.",
}
OPTIONS = {
    "seed_everything": "Seed of weights and noise; `true` draws one (default: 0).",
    "ckpt_path": "A checkpoint file to continue from. One in a run's folder brings that run's "
    "settings, if no --config is named, and the command continues in that folder. `last` is the "
    "newest intact one.",
    "weights_only": "`false` also loads checkpoints that hold Python objects; these can run code "
    "(default: true).",
}
#: What help leaves out: that which `listings` has, and what Lightning offers to Python.
ELSEWHERE = ("model", "data", "verbose", "return_predictions")
#: Shows what --help leaves out: the options of Lightning's Trainer, which are many.
TRAINER_HELP = "--trainer.help"
TRAINER_OPTIONS = {
    "--trainer.max_steps": "Steps of training.",
    "--trainer.max_time": "Training time, as DD:HH:MM:SS. Whichever limit comes first ends it.",
    "--trainer.val_check_interval": "Steps between validations.",
    "--trainer.precision": "Precision: 32-true, or bf16-mixed where the processor has bfloat16.",
    "--trainer.accelerator": "cpu, gpu or auto.",
    "--trainer.devices": "Processes on this machine, with --trainer.strategy=ddp.",
    "--trainer.default_root_dir": "Folder of all experiments (default: runs).",
}


def usage(others: Mapping[str, Command]) -> str:
    """Say how commands are called: Lightning's, and the others."""
    own = f"{program()} {WORDS}"
    return f"{own}\n       {program()} {{{','.join(others)}}} --help" if others else own


def list_commands(
    parser: LightningArgumentParser,
    others: Mapping[str, Command],
    parser_class: type[LightningArgumentParser],
) -> None:
    """Name the other commands beside Lightning's, for --help and for mistyped names."""
    parser.usage = usage(others)
    listed = parser._subcommands_action
    assert listed is not None
    for command in listed._choices_actions:
        command.help = SUBCOMMANDS[command.dest]
    for name, run in others.items():
        listed.add_subcommand(name, parser_class(), help=str(run.__doc__).partition("\n")[0])


def suit_options(
    parser: LightningArgumentParser, subcommand: str, others: Mapping[str, Command]
) -> None:
    """Fit the options of one of Lightning's subcommands to what they do here."""
    parser.usage = usage(others)
    parser.description = SUBCOMMANDS[subcommand]
    for group in parser._action_groups:
        if any(action.dest == "ckpt_path" for action in group._group_actions):
            group.title = "trained model"
    for action in parser._actions:
        if action.dest in OPTIONS:
            action.help = OPTIONS[action.dest]
            # The text says type and default where they matter.
            action._jsonargparse_preexpanded_help = True  # type: ignore[attr-defined]
        elif action.dest == "verbose":
            # The run prints a table of its own.
            action.default = False


def show_first_what_matters(parser: LightningArgumentParser, of_trainer: bool) -> None:
    """Leave the options of Lightning's Trainer out of a subcommand's help, or all others.

    Models and data are named by `listings`, and what links them is nobody's to set. The parser is
    good for nothing but help then: it forgets values of options that have none.
    """
    for group in parser._action_groups:
        for action in group._group_actions:
            part = action.dest.partition(".")[0]
            if part in ELSEWHERE or (part == "trainer") != of_trainer:
                action.help = argparse.SUPPRESS


def without_trainer_help(words: Sequence[str]) -> list[str]:
    """Turn a request for the Trainer's options into one for help."""
    return ["--help" if name_of(word) == TRAINER_HELP else word for word in words]


def with_memorys_model(words: Sequence[str]) -> list[str]:
    """Name a model where help on a memory core is asked for and no experiment has named one.

    Args:
        words: a subcommand and its options, in the order of their effect.
    """
    asks = any(name_of(word) == "--model.memory.help" for word in words)
    if not asks or any(name_of(word) in ("--config", "-c", "--model") for word in words):
        return list(words)
    return [*words[:1], f"--model={MODELS[0].__name__}", *words[1:]]


def listings(subcommand: str) -> str:
    """List models, memory cores, benchmarks and what most people set of the training."""
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
    """Lay out names and what they mean below a heading, as argparse does."""
    lines, gap, width = [heading], " " * 24, shutil.get_terminal_size().columns - 2
    for name, meaning in meanings.items():
        label = f"  {name}"
        fits = len(label) < len(gap) - 1
        if not fits:
            lines.append(label)
        start = label.ljust(len(gap)) if fits else gap
        lines += textwrap.wrap(meaning, width, initial_indent=start, subsequent_indent=gap)
    return "\n".join(lines) + "\n"
