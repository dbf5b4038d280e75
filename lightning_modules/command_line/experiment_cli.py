"""``fit``, ``validate``, ``test`` and ``predict``: Lightning's subcommands for experiments."""

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

#: Settings of a single command, which a run's config.yaml omits.
OF_ONE_COMMAND = ("config", "run", "ckpt_path", "weights_only", "verbose", "return_predictions")


class ExperimentCLI(ExperimentParser):
    """Runs Lightning's subcommands, each run in its own folder.

    Args:
        args: command line; default: the process's own.
        commands: other commands by name, only listed in --help.
        signals: handler of the signals that end the run; default: none are handled.
    """

    model: SequenceModel
    folder: RunFolder | None = None
    #: Lock that keeps other training processes out of the folder.
    _lock: int | None = None
    #: Whether this command created the folder.
    folder_is_new = False

    def __init__(
        self,
        args: list[str] | None = None,
        commands: Mapping[str, Command] | None = None,
        signals: StopSignals | None = None,
    ) -> None:
        self.signals = signals or StopSignals()
        self.words = in_order_of_effect(sys.argv[1:] if args is None else args)
        #: From the command line only, not from files.
        self.options = options_of(self.words)
        self.commands = commands or {}
        try:
            super().__init__(args, run=True)
        except BaseException:
            # Whatever the cause: if the run has not begun, its folder is useless.
            self._clear()
            raise
        finally:
            if self._lock is not None:
                os.close(self._lock)

    def _add_subcommands(self, parser: LightningArgumentParser, **kwargs: Any) -> None:
        super()._add_subcommands(parser, **kwargs)
        list_commands(parser, self.commands, Parser)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        """Add options only to the subcommand in use, since adding them is slow."""
        if subcommand not in self.words:
            self._subcommand_method_arguments[subcommand] = []
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        assert isinstance(parser, Parser)
        suit_options(parser, subcommand, self.commands)
        if TRAINER_HELP in self.words:
            show_first_what_matters(parser, of_trainer=True)
        elif {"-h", "--help"} & {*self.words}:
            show_first_what_matters(parser, of_trainer=False)
            parser.listings = listings(subcommand)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; a checkpoint implies its run's settings if no others are named."""
        refuse_linked(self.options)
        words = with_memorys_model(without_trainer_help(self.words))
        self.config = parser.parse_args(with_config_of_run(words))

    def _parse_ckpt_path(self) -> None:
        """Do nothing: Lightning would let the checkpoint silently override settings."""

    def before_instantiate_classes(self) -> None:
        """Resolve and check the checkpoint before anything is built."""
        settings = self.settings
        if settings.get("ckpt_path") == LAST:
            root, experiment = settings.trainer.default_root_dir, self.experiment_name()
            newest, message = newest_checkpoint(Path(root), experiment, settings.run)
            settings.ckpt_path = None if newest is None else str(newest)
            if rank_zero():
                print(message, flush=True)
        checkpoint = settings.get("ckpt_path")
        if checkpoint is not None:
            require_file(checkpoint)
        # A dry run writes nothing that could be mistaken for a result.
        elif self.subcommand != "fit" and not self.settings.trainer.fast_dev_run:
            raise UsageError(
                f"ckpt_path: {self.subcommand} needs the checkpoint of a trained model"
            )

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Build the trainer with the run's folder, loggers and callbacks."""
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
            # Prediction logs no metrics.
            logs = self.subcommand != "predict"
            kwargs["logger"] = run_loggers(self.folder, tags) if logs else False
        callbacks = self.config_init[self.subcommand].trainer.callbacks or []
        callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
        if checkpoint is not None:
            restore_tuned(content, callbacks, self._overrides(), self.model, self.datamodule)
            callbacks = [each for each in callbacks if not isinstance(each, TUNERS)]
        own = run_callbacks(
            self.folder, self.model, self.settings, self._saved_settings(), self.signals
        )
        # Lightning's temporary files and those of a user's callbacks go there.
        kwargs |= {"default_root_dir": self.folder.path, "plugins": self._plugins()}
        built = self._build_trainer(**kwargs, callbacks=[*callbacks, *own])
        make_expendable(built.loggers)
        return built

    def _plugins(self) -> list[Any]:
        """Return the user's plugins, with ours for checkpoints if they have none for it."""
        plugins = self.config_init[self.subcommand].trainer.plugins or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        has_io = any(isinstance(plugin, CheckpointIO) for plugin in plugins)
        return plugins if has_io else [*plugins, CheckpointFiles()]

    def _folder(self) -> RunFolder:
        """Return the folder of the checkpoint's run, else a new one."""
        settings = self.settings
        continued = continued_folder(settings.get("ckpt_path"), self._overrides())
        if continued is not None:
            return continued
        self.folder_is_new = True
        has_memory = "memory" in settings.model.init_args
        run = settings.run
        if run is None:
            run = default_run(self.model, has_memory, settings.seed_everything)
        return new_folder(settings.trainer.default_root_dir, self.experiment_name(), run)

    def _overrides(self) -> Mapping[str, str]:
        """Return options that change a run; ``--ckpt_path last`` repeats a command unchanged."""
        return {} if self.options.get("--ckpt_path") == LAST else self.options

    def _build_trainer(self, **kwargs: Any) -> L.Trainer:
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError, MisconfigurationException) as failure:
            # Lightning validates its settings only here.
            raise UsageError(f"trainer: {failure}") from failure

        trainer._signal_connector = Signals(trainer, self.signals)
        use_own_fit_loop(trainer)
        return trainer

    def _clear(self) -> None:
        """Remove this command's new folder if the run has not begun: it has no config.yaml."""
        if self.folder is None or not self.folder_is_new or not rank_zero():
            return
        if not self.folder.config.is_file():
            self._finish_loggers()
            remove_unbegun(self.folder)

    def _finish_loggers(self) -> None:
        """Close the loggers that have started."""
        loggers = self.trainer.loggers if hasattr(self, "trainer") else []
        finish([each for each in loggers if getattr(each, "_experiment", None) is not None])

    def _saved_settings(self) -> str:
        """Return the run's config.yaml."""
        settings = self.settings.clone()
        for key in OF_ONE_COMMAND:
            settings.pop(key, None)
        settings.experiment = self.experiment_name()
        return self._parser(self.subcommand).dump(settings, skip_unset=False, skip_validation=True)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run, and report how it ended."""
        try:
            super()._run_subcommand(subcommand)
        except (Stopped, SIGTERMException) as stop:
            self._end_at_signal(stop)
        except Diverged as divergence:
            self._end_diverged(divergence)
        except Exception as failure:
            if isinstance(failure, ValueError):
                # Missing data is detected only here.
                self.explain(failure)
            explanation = explain_run(failure)
            if explanation is None:
                raise
            raise UsageError(explanation) from failure
        if self.folder is not None and self.trainer.is_global_zero:
            print(self._closing_message(self.folder), flush=True)
            finish(self.trainer.loggers)

    def _end_at_signal(self, stop: BaseException) -> NoReturn:
        """Report the saved state, and exit with the status that shells and schedulers expect."""
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
        """Report where training diverged and which checkpoints remain."""
        self._end_other_process(DIVERGED)
        self._finish_loggers()
        states = [] if self.folder is None else [closing_message.after_divergence(self.folder)]
        print("\n".join(["", str(divergence), *states]), file=sys.stderr, flush=True)
        sys.exit(DIVERGED)

    def _end_other_process(self, status: int) -> None:
        """Exit if this is not the first process."""
        environment = self.trainer._accelerator_connector.cluster_environment
        if not self.trainer.is_global_zero:
            # Lightning kills the first process if one that it launched exits with another status.
            launched = isinstance(environment, LightningEnvironment)
            sys.exit(0 if launched else status)

    def _closing_message(self, folder: RunFolder) -> str:
        if self.subcommand == "test":
            return closing_message.after_test(folder)
        if self.subcommand != "fit":
            return closing_message.files(folder)
        memory = self.settings.model.init_args.get("memory")
        cores = [c.__name__ for c in memory_cores.CORES if memory is not None]
        other = next((c for c in cores if not memory.class_path.endswith(f".{c}")), None)
        return closing_message.after_fit(folder, self.trainer.global_step, other)


def rank_zero() -> bool:
    """Return whether this is the first or only process."""
    return getattr(rank_zero_only, "rank", 0) == 0
