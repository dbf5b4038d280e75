"""``fit``, ``validate``, ``test`` and ``predict``: Lightning's subcommands on our experiments."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import memory_cores
from lightning_modules.command_line import closing_message
from lightning_modules.command_line.checkpoint_check import require_file, require_restorable
from lightning_modules.command_line.checkpoint_settings import options_of, with_config_of_run
from lightning_modules.command_line.data_links import refuse_linked
from lightning_modules.command_line.experiment_parser import ExperimentParser, Parser
from lightning_modules.command_line.loggers import finish, run_loggers
from lightning_modules.command_line.run_callbacks import run_callbacks
from lightning_modules.command_line.run_setup import (
    continued_folder,
    default_run,
    new_folder,
    remove_if_empty,
    run_tags,
)
from lightning_modules.command_line.subcommand_help import Command, list_commands, suit_options
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.sequence_model import SequenceModel

#: Settings of one command; a run's config.yaml holds those of the experiment only.
OF_ONE_COMMAND = ("config", "run", "ckpt_path", "weights_only", "verbose", "return_predictions")
INTERRUPTED = 130


class ExperimentCLI(ExperimentParser):
    """Lightning's subcommands; every run has its own folder.

    Args:
        args: command line; default: the process's own.
        others: commands that are none of Lightning's, by name; only named for --help here.
    """

    model: SequenceModel
    folder: RunFolder | None = None

    def __init__(
        self, args: list[str] | None = None, others: Mapping[str, Command] | None = None
    ) -> None:
        self.words = sys.argv[1:] if args is None else args
        #: Of the command line alone, without those of files.
        self.options = options_of(self.words)
        self.others = others or {}
        super().__init__(args, run=True)

    def _add_subcommands(self, parser: LightningArgumentParser, **kwargs: Any) -> None:
        super()._add_subcommands(parser, **kwargs)
        list_commands(parser, self.others, Parser)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        """Leave out the options of subcommands that are not asked for: adding them takes long."""
        if subcommand not in self.words:
            self._subcommand_method_arguments[subcommand] = []
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        suit_options(parser, self.others)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; a checkpoint brings its run's settings where no others are named."""
        refuse_linked(self.options)
        self.config = parser.parse_args(with_config_of_run(self.words))

    def _parse_ckpt_path(self) -> None:
        """Leave the settings alone: Lightning would let the checkpoint override them silently."""

    def before_instantiate_classes(self) -> None:
        """Find a missing checkpoint before anything is built."""
        checkpoint = self.settings.get("ckpt_path")
        if checkpoint is not None:
            require_file(checkpoint)
        # A dry run writes nothing that could be taken for a result.
        elif self.subcommand != "fit" and not self.settings.trainer.fast_dev_run:
            raise UsageError(f"ckpt_path: {self.subcommand} needs a trained model's checkpoint")

    def explain(self, failure: ValueError) -> None:
        """Leave nothing behind of a run that cannot begin."""
        try:
            super().explain(failure)
        except UsageError:
            self._clear()
            raise

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Give the run its folder, its loggers and its callbacks."""
        trainer, checkpoint = self.settings.trainer, self.settings.get("ckpt_path")
        if checkpoint is not None:
            weights_only = self.settings.get("weights_only") is not False
            require_restorable(Path(checkpoint), self.model, weights_only)
        if trainer.fast_dev_run or trainer.barebones:
            return self._build_trainer(**kwargs)
        self.folder = self._folder()
        if trainer.logger is None or trainer.logger is True:
            seed = self.settings.seed_everything
            tags = run_tags(self.model, self.datamodule, self.folder.experiment, seed)
            # Generating measures nothing.
            logs = self.subcommand != "predict"
            kwargs["logger"] = run_loggers(self.folder, tags) if logs else False
        given = self.config_init[self.subcommand].trainer.callbacks or []
        given = given if isinstance(given, list) else [given]
        own = run_callbacks(self.folder, self.model, self.settings, self._saved_settings())
        return self._build_trainer(**kwargs, callbacks=[*given, *own])

    def _folder(self) -> RunFolder:
        """The folder that the checkpoint comes from, else a new one."""
        settings = self.settings
        continued = continued_folder(settings.get("ckpt_path"), self.options)
        if continued is not None:
            return continued
        chosen = "memory" in settings.model.init_args
        run = settings.run or default_run(self.model, chosen, settings.seed_everything)
        return new_folder(settings.trainer.default_root_dir, self.experiment_name(), run)

    def _build_trainer(self, **kwargs: Any) -> L.Trainer:
        try:
            return super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError, MisconfigurationException) as failure:
            # Lightning checks the values of its settings only now.
            self._clear()
            raise UsageError(f"trainer: {failure}") from failure

    def _clear(self) -> None:
        if self.folder is not None:
            remove_if_empty(self.folder)

    def _saved_settings(self) -> str:
        """The run's config.yaml."""
        settings = self.settings.clone()
        for key in OF_ONE_COMMAND:
            settings.pop(key, None)
        settings.experiment = self.experiment_name()
        return self._parser(self.subcommand).dump(settings, skip_none=False, skip_validation=True)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run, and say how it ended."""
        try:
            super()._run_subcommand(subcommand)
        except ValueError as failure:
            # Data that was asked for and is not there shows only now.
            self.explain(failure)
            raise
        except SystemExit:
            # Lightning turns Ctrl-C into an exit with status 1.
            if self.trainer.state.status != TrainerStatus.INTERRUPTED:
                raise
            if self.folder is not None and self.trainer.is_global_zero:
                print(closing_message.after_interruption(self.folder), flush=True)
            sys.exit(INTERRUPTED)
        if self.folder is not None and self.trainer.is_global_zero:
            print(self._closing_message(self.folder), flush=True)
            finish(self.trainer.loggers)

    def _closing_message(self, folder: RunFolder) -> str:
        if self.subcommand == "test":
            return closing_message.after_test(folder)
        if self.subcommand != "fit":
            return closing_message.files(folder)
        memory = self.settings.model.init_args.get("memory")
        others = [c.__name__ for c in memory_cores.CORES if memory is not None]
        other = next((c for c in others if not memory.class_path.endswith(f".{c}")), None)
        return closing_message.after_fit(folder, self.trainer.global_step, other)
