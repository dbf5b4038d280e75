"""Reads experiments: files, overlays and options mean the same in every command."""

from pathlib import Path
from typing import Any

from jsonargparse import Namespace, set_parsing_settings
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

# Importing the packages makes short names of their classes resolve: --model.memory=NoMemory.
import lightning_modules  # noqa: F401
import memory_cores  # noqa: F401
from datamodules import BenchmarkDataModule
from lightning_modules.command_line.mistakes import (
    FROM_DATA,
    explain_failure,
    explain_parsing,
    require_fitting,
)
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.sequence_model import SequenceModel

HINTS = (
    "Settings of a model, a benchmark or a memory core: --model.help=GTMM, --data.help=MNISTMaze, "
    "--model.memory.help=DNC"
)


class Parser(LightningArgumentParser):
    """Reports mistakes in a few lines instead of the whole usage."""

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Explain a message; nested parsers pass theirs on to the outermost."""
        if not self.exit_on_error:
            super().error(message, ex)
        raise UsageError(explain_parsing(message, self)) from ex


class ExperimentParser(LightningCLI):
    """LightningCLI with the settings of our experiments; subclasses say what is done with them.

    Args:
        args: command line; default: the process's own.
        run: of one of Lightning's subcommands; else only a model and its data are built.
    """

    def __init__(self, args: list[str] | None, run: bool) -> None:
        # Without this, `${...}` goes stale when several files or the command line override it.
        set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
        super().__init__(
            SequenceModel,
            BenchmarkDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={"default_root_dir": "runs"},
            parser_class=Parser,
            parser_kwargs={
                "parser_mode": "omegaconf+",
                "allow_abbrev": False,
                "prog": "cli.py",
                "description": "Sequence models with interchangeable memory cores.",
            },
            auto_configure_optimizers=False,
            args=args,
            run=run,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Names of the run, and what the model learns from its data."""
        parser.epilog = HINTS
        parser.add_argument(
            "--experiment",
            type=str | None,
            help="Folder of runs that belong together (default: the name of the first --config).",
        )
        parser.add_argument(
            "--run",
            type=str | None,
            help="Folder of this run, in the experiment's (default: time, model and seed).",
        )
        for name in FROM_DATA:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    @property
    def settings(self) -> Namespace:
        """Parsed settings, of the subcommand if there is one."""
        return self.config if self.subcommand is None else self.config[self.subcommand]

    def experiment_name(self) -> str:
        """As the user says, else that of the first file."""
        files = self.settings.get("config") or []
        return self.settings.experiment or (Path(str(files[0])).stem if files else "unnamed")

    def instantiate_classes(self) -> None:
        """Build data, model and trainer; a setting out of range is the user's mistake."""
        require_fitting(self.settings.model.class_path, self.settings.data.class_path)
        try:
            super().instantiate_classes()
        except ValueError as failure:
            self.explain(failure)
            raise

    def explain(self, failure: ValueError) -> None:
        """Raise a UsageError if a setting is to blame."""
        explanation = explain_failure(failure, self.settings)
        if explanation is not None:
            raise UsageError(explanation) from failure
