"""``fit``, ``validate``, ``test`` and ``predict``: Lightning's subcommands on our experiments."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

import memory_cores
from lightning_modules.callbacks.checkpoint_io import CheckpointFiles
from lightning_modules.callbacks.fit_loop import use_own_fit_loop
from lightning_modules.callbacks.flight_recorder import Diverged
from lightning_modules.callbacks.slurm import requeue
from lightning_modules.callbacks.stop_at_signal import Signals
from lightning_modules.callbacks.stop_signals import Stopped, StopSignals
from lightning_modules.command_line import closing_message
from lightning_modules.command_line.checkpoint_check import require_file, require_restorable
from lightning_modules.command_line.checkpoint_settings import options_of, with_config_of_run
from lightning_modules.command_line.data_links import refuse_linked
from lightning_modules.command_line.exit_status import DIVERGED
from lightning_modules.command_line.experiment_parser import ExperimentParser, Parser
from lightning_modules.command_line.loggers import finish, make_expendable, run_loggers
from lightning_modules.command_line.newest_checkpoint import LAST, newest_checkpoint
from lightning_modules.command_line.run_callbacks import run_callbacks
from lightning_modules.command_line.run_failures import explain_run
from lightning_modules.command_line.run_lock import hold
from lightning_modules.command_line.run_setup import (
    continued_folder,
    default_run,
    new_folder,
    remove_unbegun,
    run_tags,
)
from lightning_modules.command_line.subcommand_help import (
    TRAINER_HELP,
    Command,
    list_commands,
    listings,
    show_first_what_matters,
    suit_options,
    with_memorys_model,
    without_trainer_help,
)
from lightning_modules.command_line.tuned_settings import TUNERS, restore_tuned
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.command_line.word_order import in_order_of_effect
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.sequence_model import SequenceModel

#: Settings of one command; a run's config.yaml holds those of the experiment only.
OF_ONE_COMMAND = ("config", "run", "ckpt_path", "weights_only", "verbose", "return_predictions")


class ExperimentCLI(ExperimentParser):
    """Lightning's subcommands; every run has its own folder.

    Args:
        args: command line; default: the process's own.
        others: commands that are none of Lightning's, by name; only named for --help here.
        signals: those that end the run; default: none is handled.
    """

    model: SequenceModel
    folder: RunFolder | None = None
    #: Keeps other trainings out of the folder.
    _lock: int | None = None
    #: The folder was made by this command.
    folder_is_new = False

    def __init__(
        self,
        args: list[str] | None = None,
        others: Mapping[str, Command] | None = None,
        signals: StopSignals | None = None,
    ) -> None:
        self.signals = signals or StopSignals()
        self.words = in_order_of_effect(sys.argv[1:] if args is None else args)
        #: Of the command line alone, without those of files.
        self.options = options_of(self.words)
        self.others = others or {}
        try:
            super().__init__(args, run=True)
        except BaseException:
            # Whatever ends a run that has not begun: its folder is about nothing.
            self._clear()
            raise
        finally:
            if self._lock is not None:
                os.close(self._lock)

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
        assert isinstance(parser, Parser)
        suit_options(parser, subcommand, self.others)
        if TRAINER_HELP in self.words:
            show_first_what_matters(parser, of_trainer=True)
        elif {"-h", "--help"} & {*self.words}:
            show_first_what_matters(parser, of_trainer=False)
            parser.listings = listings(subcommand)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; a checkpoint brings its run's settings where no others are named."""
        refuse_linked(self.options)
        words = with_memorys_model(without_trainer_help(self.words))
        self.config = parser.parse_args(with_config_of_run(words))

    def _parse_ckpt_path(self) -> None:
        """Leave the settings alone: Lightning would let the checkpoint override them silently."""

    def before_instantiate_classes(self) -> None:
        """Find the newest checkpoint, or that one is missing, before anything is built."""
        settings = self.settings
        if settings.get("ckpt_path") == LAST:
            root, experiment = settings.trainer.default_root_dir, self.experiment_name()
            newest, found = newest_checkpoint(Path(root), experiment, settings.run)
            settings.ckpt_path = None if newest is None else str(newest)
            if rank_zero():
                print(found, flush=True)
        checkpoint = settings.get("ckpt_path")
        if checkpoint is not None:
            require_file(checkpoint)
        # A dry run writes nothing that could be taken for a result.
        elif self.subcommand != "fit" and not self.settings.trainer.fast_dev_run:
            raise UsageError(f"ckpt_path: {self.subcommand} needs a trained model's checkpoint")

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Give the run its folder, its loggers and its callbacks."""
        trainer, checkpoint = self.settings.trainer, self.settings.get("ckpt_path")
        content: dict[str, Any] = {}
        if checkpoint is not None:
            weights_only = self.settings.get("weights_only") is not False
            resumes = self.subcommand == "fit"
            path = Path(checkpoint)
            content = require_restorable(path, self.model, weights_only, resumes)
        if trainer.fast_dev_run or trainer.barebones:
            return self._build_trainer(**kwargs)
        self.folder = self._folder()
        if self.subcommand == "fit" and rank_zero():
            self._lock = hold(self.folder)
        if trainer.logger is None or trainer.logger is True:
            seed = self.settings.seed_everything
            tags = run_tags(self.model, self.datamodule, self.folder.experiment, seed)
            # Generating measures nothing.
            logs = self.subcommand != "predict"
            kwargs["logger"] = run_loggers(self.folder, tags) if logs else False
        given = self.config_init[self.subcommand].trainer.callbacks or []
        given = given if isinstance(given, list) else [given]
        if checkpoint is not None:
            restore_tuned(content, given, self._named(), self.model, self.datamodule)
            given = [each for each in given if not isinstance(each, TUNERS)]
        own = run_callbacks(
            self.folder, self.model, self.settings, self._saved_settings(), self.signals
        )
        # Where Lightning leaves files for a moment, and a user's callbacks theirs.
        kwargs |= {"default_root_dir": self.folder.path, "plugins": self._plugins()}
        built = self._build_trainer(**kwargs, callbacks=[*given, *own])
        make_expendable(built.loggers)
        return built

    def _plugins(self) -> list[Any]:
        """The user's, and how checkpoints are written unless they say it."""
        given = self.config_init[self.subcommand].trainer.plugins or []
        given = given if isinstance(given, list) else [given]
        decided = any(isinstance(plugin, CheckpointIO) for plugin in given)
        return given if decided else [*given, CheckpointFiles()]

    def _folder(self) -> RunFolder:
        """The folder that the checkpoint comes from, else a new one."""
        settings = self.settings
        continued = continued_folder(settings.get("ckpt_path"), self._named())
        if continued is not None:
            return continued
        self.folder_is_new = True
        chosen = "memory" in settings.model.init_args
        run = settings.run
        if run is None:
            run = default_run(self.model, chosen, settings.seed_everything)
        return new_folder(settings.trainer.default_root_dir, self.experiment_name(), run)

    def _named(self) -> Mapping[str, str]:
        """Options that are meant to change a run; who asks for the last state repeats a command."""
        return {} if self.options.get("--ckpt_path") == LAST else self.options

    def _build_trainer(self, **kwargs: Any) -> L.Trainer:
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError, MisconfigurationException) as failure:
            # Lightning checks the values of its settings only now.
            raise UsageError(f"trainer: {failure}") from failure

        trainer._signal_connector = Signals(trainer, self.signals)
        use_own_fit_loop(trainer)
        return trainer

    def _clear(self) -> None:
        """Remove the folder of a run that has not begun; its config.yaml would be there."""
        if self.folder is None or not self.folder_is_new or not rank_zero():
            return
        if not self.folder.config.is_file():
            self._finish_loggers()
            remove_unbegun(self.folder)

    def _finish_loggers(self) -> None:
        """End the loggers that have begun."""
        loggers = self.trainer.loggers if hasattr(self, "trainer") else []
        finish([each for each in loggers if getattr(each, "_experiment", None) is not None])

    def _saved_settings(self) -> str:
        """The run's config.yaml."""
        settings = self.settings.clone()
        for key in OF_ONE_COMMAND:
            settings.pop(key, None)
        settings.experiment = self.experiment_name()
        return self._parser(self.subcommand).dump(settings, skip_unset=False, skip_validation=True)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run, and say how it ended."""
        try:
            super()._run_subcommand(subcommand)
        except (Stopped, SIGTERMException) as stop:
            self._end_at_signal(stop)
        except Diverged as divergence:
            self._end_diverged(divergence)
        except Exception as failure:
            if isinstance(failure, ValueError):
                # Data that was asked for and is not there shows only now.
                self.explain(failure)
            explanation = explain_run(failure)
            if explanation is None:
                raise
            raise UsageError(explanation) from failure
        if self.folder is not None and self.trainer.is_global_zero:
            print(self._closing_message(self.folder), flush=True)
            finish(self.trainer.loggers)

    def _end_at_signal(self, stop: BaseException) -> NoReturn:
        """Say what a signal leaves, and exit as shells and schedulers expect it."""
        received = self.signals.received or signal.SIGTERM
        self._end_other_process(128 + received)
        if self.folder is None or self.subcommand != "fit":
            print(f"\nInterrupted by {received.name}.", flush=True)
        elif self.folder_is_new and not self.folder.last_checkpoint.is_file():
            self._finish_loggers()
            remove_unbegun(self.folder)
            raise Stopped(received) from stop
        else:
            self._finish_loggers()
            print(closing_message.after_interruption(self.folder, received.name), flush=True)
        if received == self.signals.requeues:
            print(requeue(), flush=True)
        sys.exit(128 + received)

    def _end_diverged(self, divergence: Diverged) -> NoReturn:
        """Say where training diverged, and what is left of it."""
        self._end_other_process(DIVERGED)
        self._finish_loggers()
        left = [] if self.folder is None else [closing_message.after_divergence(self.folder)]
        print("\n".join(["", str(divergence), *left]), file=sys.stderr, flush=True)
        sys.exit(DIVERGED)

    def _end_other_process(self, status: int) -> None:
        """End a process that is not the first."""
        environment = self.trainer._accelerator_connector.cluster_environment
        if not self.trainer.is_global_zero:
            # Lightning kills the first process if one that it has started itself ends otherwise.
            launched = isinstance(environment, LightningEnvironment)
            sys.exit(0 if launched else status)

    def _closing_message(self, folder: RunFolder) -> str:
        if self.subcommand == "test":
            return closing_message.after_test(folder)
        if self.subcommand != "fit":
            return closing_message.files(folder)
        memory = self.settings.model.init_args.get("memory")
        others = [c.__name__ for c in memory_cores.CORES if memory is not None]
        other = next((c for c in others if not memory.class_path.endswith(f".{c}")), None)
        return closing_message.after_fit(folder, self.trainer.global_step, other)


def rank_zero() -> bool:
    """Return whether this is the first process, or the only one."""
    return getattr(rank_zero_only, "rank", 0) == 0
