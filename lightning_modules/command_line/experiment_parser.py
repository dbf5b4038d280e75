"""Parses experiments: files, overlays and options work the same way in every command."""

import re
from argparse import HelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace, set_parsing_settings
from jsonargparse._typehints import ActionTypeHint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

# These imports let short class names resolve: --model.memory=NoMemory.
import lightning_modules  # noqa: F401
import memory_cores  # noqa: F401
from datamodules import BenchmarkDataModule
from datamodules.sources import UnreadableData
from lightning_modules.callbacks.flight_recorder import OnDivergence
from lightning_modules.command_line.class_settings import ROOTS, class_names, plain_key
from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.configurations import resolve_content, resolve_words
from lightning_modules.command_line.data_links import link_to_data, require_fitting
from lightning_modules.command_line.memory_estimate import require_memory
from lightning_modules.command_line.own_core import explain_constructor, require_all_methods
from lightning_modules.command_line.parsing_messages import explain_parsing
from lightning_modules.command_line.trainer_values import require_seed, require_sensible
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.sequence_model import SequenceModel

#: Defaults of all experiments, which files and options override.
TRAINER_DEFAULTS: dict[str, Any] = {
    "default_root_dir": "runs",
    # In steps, across epochs.
    "val_check_interval": 500,
    "check_val_every_n_epoch": None,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 25,
    # One process; on several devices: --trainer.devices 2 --trainer.strategy ddp
    "devices": 1,
    # The run prints the parameter count itself.
    "enable_model_summary": False,
}


class Parser(LightningArgumentParser):
    """Reports errors in a few lines instead of the whole usage."""

    #: Text at the end of --help.
    listings = ""

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        """Return the help, with the settings of a model's parts written as they are typed."""
        written = re.sub(r"--(?=(memory|visual)[.=])", "--model.", super().format_help(formatter))
        return f"{written}\n{self.listings}" if self.listings else written

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Raise a UsageError that explains the message; nested parsers pass theirs outwards."""
        if not self.exit_on_error:
            super().error(message, ex)
        raise UsageError(explain_parsing(message, self)) from ex

    def parse_args(self, args: Any = None, *more_args: Any, **kwargs: Any) -> Any:
        """Parse, and resolve the files in the arguments, each of the form ``--key=value``."""
        if isinstance(args, list):
            require_class_of_help(args)
            args = resolve_words(args)
        return super().parse_args(args, *more_args, **kwargs)

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Namespace:
        """Parse a file's content, and resolve the files that it names."""
        return super().parse_string(resolve_content(content), *args, **kwargs)

    def parse_path(self, *args: Any, **kwargs: Any) -> Namespace:
        """Parse a file without its own ``config``, so that only the command line's remains."""
        settings = super().parse_path(*args, **kwargs)
        settings.pop("config", None)
        return settings


def keep_whole_numbers(parser: LightningArgumentParser) -> None:
    """Make ``--trainer.limit_val_batches=1`` mean one batch, not 1.0, which is all of them.

    A union's types are tried in order, and ``typing`` caches ``Union[int, float]`` in the order
    that any package wrote first.
    """
    for action in parser._actions:
        if isinstance(action, ActionTypeHint) and action.dest.endswith("_batches"):
            for kind in (int | float, int | float | None):
                if action._typehint == kind:
                    action._typehint = kind


def require_class_of_help(words: Sequence[str]) -> None:
    """Reject ``--model.memory.help`` without a class; jsonargparse would show ``--model``.

    Raises:
        UsageError: no class is named; the message lists the valid ones.
    """
    for word in words:
        found = re.fullmatch(r"--(.+)\.help=?", word)
        if found is None or found[1] in ROOTS:
            continue
        key, names = found[1], class_names(found[1])
        if names:
            valid = ", ".join(names)
            raise UsageError(
                f"--{key}.help: names no class; write --{key}.help=NAME, with one of {valid}"
            )


class ExperimentParser(LightningCLI):
    """LightningCLI with the settings of experiments; subclasses decide how to use them.

    Args:
        args: command line; default: the process's own.
        run: whether to run a Lightning subcommand; else only build the model and its data.
    """

    def __init__(self, args: list[str] | None, run: bool) -> None:
        # Otherwise `${...}` keeps a stale value when other files or options override its target.
        set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
        super().__init__(
            SequenceModel,
            BenchmarkDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_class=Parser,
            parser_kwargs={
                "parser_mode": "omegaconf+",
                "allow_abbrev": False,
                "prog": program(),
                "description": "Sequence models with interchangeable memory cores.",
            },
            auto_configure_optimizers=False,
            args=args,
            run=run,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's options, and link the model's settings to its data."""
        parser.add_argument(
            "--experiment",
            type=str | None,
            help="Folder that groups related runs (default: the name of the first --config).",
        )
        parser.add_argument(
            "--run",
            type=str | None,
            help="Folder of this run, within the experiment's (default: time, model and seed).",
        )
        parser.add_argument(
            "--on_divergence",
            type=OnDivergence,
            default="stop",
            help="At a loss or gradient that is not finite: stop, or skip and count the step.",
        )
        link_to_data(parser)
        keep_whole_numbers(parser)

    @property
    def settings(self) -> Namespace:
        """Parsed settings, those of the subcommand if there is one."""
        return self.config if self.subcommand is None else self.config[self.subcommand]

    def experiment_name(self) -> str:
        """Return the user's --experiment, else the stem of the first configuration file."""
        files = self.settings.get("config") or []
        return self.settings.experiment or (Path(str(files[0])).stem if files else "unnamed")

    def _set_seed(self) -> None:
        require_seed(self.settings.get("seed_everything"))
        super()._set_seed()

    def instantiate_classes(self) -> None:
        """Build data, model and trainer; a setting out of range is a usage error."""
        require_fitting(self.settings.model.class_path, self.settings.data.class_path)
        require_all_methods(self.settings.model)
        require_sensible(self.settings.trainer)
        try:
            if self.subcommand is not None:
                require_memory(self.settings, self._build_alone, self.subcommand == "fit")
            super().instantiate_classes()
        except ValueError as failure:
            self.explain(failure)
            raise

    def _build_alone(self, settings: Namespace) -> tuple[SequenceModel, BenchmarkDataModule]:
        """Build only the model and its data."""
        alone = settings.clone()
        alone.trainer = Namespace()
        # Lightning reads hyperparameters from a dump of all settings, which it makes only once.
        dump = self._parser(self.subcommand).dump(alone, skip_unset=False, skip_validation=True)
        self.config_dump = yaml.safe_load(dump)
        try:
            config = Namespace({"subcommand": self.subcommand, self.subcommand: alone})
            built = self.parser.instantiate_classes(config)[self.subcommand]
        finally:
            del self.config_dump
        return built.model, built.data

    def explain(self, failure: ValueError) -> None:
        """Raise a UsageError if a setting, a data file or a user's core is the cause."""
        if isinstance(failure, UnreadableData):
            raise UsageError(str(failure)) from failure
        explanation = explain_failure(failure, self.settings) or explain_constructor(failure)
        if explanation is not None:
            raise UsageError(explanation) from failure


def explain_failure(failure: Exception, settings: Namespace) -> str | None:
    """Explain a constructor's error with the setting's full key; None if it names no setting."""
    found = re.search(r"(?:^|- )(\w+)(\S*) (must .*, got (.*))$", str(failure), re.MULTILINE)
    if found is None:
        return None
    name, part, complaint, got = found.groups()
    values = {
        plain_key(key): str(value)
        for key, value in vars(settings.as_flat()).items()
        if key.rpartition(".")[2] == name
    }
    # The value may be another setting's default, or one element of a list.
    keys = [key for key, value in values.items() if value == got] or list(values)
    return f"{keys[0]}{part} {complaint}" if keys else None
