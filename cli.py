"""The command line: fit, validate, test and predict any model with any memory core on any data.

python cli.py fit --config conf/dnc_gtmm_maze.yaml --model.memory=NoMemory

``COMMANDS`` are those that neither train nor measure.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning as L
import yaml
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

import memory_cores
from lightning_modules.callbacks.announcement import Announcement, core_name
from lightning_modules.callbacks.checkpoints import LastCheckpoint, best_checkpoint
from lightning_modules.callbacks.config_file import ConfigFile
from lightning_modules.callbacks.last_step import LastStep
from lightning_modules.callbacks.logged_curves import LoggedCurves
from lightning_modules.callbacks.model_file import ModelFile
from lightning_modules.callbacks.pictures import Pictures
from lightning_modules.callbacks.predictions_file import PredictionsFile
from lightning_modules.callbacks.progress import ValidationReport, progress
from lightning_modules.callbacks.results_file import ResultsFile
from lightning_modules.callbacks.stopwatch import Stopwatch
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.callbacks.training_origin import TrainingOrigin
from lightning_modules.command_line import closing_message
from lightning_modules.command_line.checkpoint_check import require_restorable
from lightning_modules.command_line.compare import compare
from lightning_modules.command_line.dashboard import dashboard
from lightning_modules.command_line.experiment_parser import ExperimentParser, Parser
from lightning_modules.command_line.keep import keep
from lightning_modules.command_line.loggers import finish, run_loggers
from lightning_modules.command_line.mistakes import FROM_DATA
from lightning_modules.command_line.oracle import oracle
from lightning_modules.command_line.parameters import parameters
from lightning_modules.command_line.sweep.command import sweep
from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.records.run_folder import RunFolder

#: Settings of one command; a run's config.yaml holds those of the experiment only.
OF_ONE_COMMAND = ("config", "run", "ckpt_path", "weights_only", "verbose", "return_predictions")
INTERRUPTED = 130
#: Beside Lightning's; the first line of each one's docstring is its line in --help.
COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "parameters": parameters,
    "compare": compare,
    "keep": keep,
    "sweep": sweep,
    "dashboard": dashboard,
    "oracle": oracle,
}
USAGE = (
    "python cli.py {fit,validate,test,predict} --config FILE [--config FILE] [--KEY=VALUE ...]\n"
    f"       python cli.py {{{','.join(COMMANDS)}}} --help"
)
CKPT_PATH = (
    "A checkpoint file to go on from. One in a run's folder brings that run's settings, if no "
    "--config is named, and the command goes on in that folder."
)
#: Warnings about what is meant to be so, or that only concern Lightning itself.
HARMLESS = (
    ".*does not have many workers.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*smaller than the logging interval.*",
    "Checkpoint directory .* exists and is not empty.*",
)


class ExperimentCLI(ExperimentParser):
    """Lightning's subcommands; every run has its own folder."""

    folder: RunFolder | None = None
    #: The command line.
    words: list[str]
    #: Options of the command line alone, without those of files.
    typed: dict[str, str]

    def __init__(self, args: list[str] | None = None) -> None:
        self.words = sys.argv[1:] if args is None else args
        super().__init__(args, run=True)

    def _add_subcommands(self, parser: LightningArgumentParser, **kwargs: Any) -> None:
        """Name the commands that ``main`` runs, too, for --help and for mistyped names."""
        super()._add_subcommands(parser, **kwargs)
        parser.usage = USAGE
        listed = parser._subcommands_action
        assert listed is not None
        for name, command in COMMANDS.items():
            listed.add_subcommand(name, Parser(), help=str(command.__doc__).partition("\n")[0])

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        """Fit Lightning's options to what they do here; other commands need none of theirs."""
        if subcommand not in self.words:
            self._subcommand_method_arguments[subcommand] = []
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        parser.usage = USAGE
        for action in parser._actions:
            if action.dest == "ckpt_path":
                action.help = CKPT_PATH
            elif action.dest == "verbose":
                # The run prints a table of its own.
                action.default = False
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; a checkpoint brings its run's settings where no others are named."""
        self.typed = options_of(self.words)
        for name in FROM_DATA:
            if {f"--model.{name}", f"--model.init_args.{name}"} & self.typed.keys():
                raise UsageError(f"model.{name}: comes from the data; leave it out")
        self.config = parser.parse_args(with_config_of_run(self.words))

    def _parse_ckpt_path(self) -> None:
        """Leave the settings alone: Lightning would let the checkpoint override them silently."""

    def before_instantiate_classes(self) -> None:
        """Find a missing checkpoint before anything is built."""
        checkpoint = self.settings.get("ckpt_path")
        if checkpoint is None:
            # A dry run writes nothing that could be taken for a result.
            if self.subcommand != "fit" and not self.settings.trainer.fast_dev_run:
                raise UsageError(f"ckpt_path: {self.subcommand} needs a trained model's checkpoint")
        elif not Path(checkpoint).is_file():
            raise UsageError(f"ckpt_path: there is no file {checkpoint}{nearest_file(checkpoint)}")

    def explain(self, failure: ValueError) -> None:
        """Leave nothing behind of a run that can not begin."""
        try:
            super().explain(failure)
        except UsageError:
            self._leave_no_empty_folder()
            raise

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Give the run its folder, its loggers and its callbacks."""
        trainer, checkpoint = self.settings.trainer, self.settings.get("ckpt_path")
        if checkpoint is not None:
            require_restorable(
                Path(checkpoint), self.model, self.settings.get("weights_only") is not False
            )
        if trainer.fast_dev_run or trainer.barebones:
            return self._build_trainer(**kwargs)
        self.folder = self._take_folder()
        if trainer.logger is None or trainer.logger is True:
            # Generating measures nothing.
            logs = self.subcommand != "predict"
            kwargs["logger"] = run_loggers(self.folder, self._tags(self.folder)) if logs else False
        given = self.config_init[self.subcommand].trainer.callbacks or []
        given = given if isinstance(given, list) else [given]
        own = self._run_callbacks(self.folder)
        return self._build_trainer(**kwargs, callbacks=[*given, *own])

    def _build_trainer(self, **kwargs: Any) -> L.Trainer:
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, MisconfigurationException) as failure:
            # Lightning checks the values of its settings only now.
            self._leave_no_empty_folder()
            raise UsageError(f"trainer: {failure}") from failure

    def _leave_no_empty_folder(self) -> None:
        if self.folder is not None and self.folder.path.is_dir():
            if [*self.folder.path.iterdir()] == [self.folder.wandb_id]:
                self.folder.wandb_id.unlink()
            with suppress(OSError):
                self.folder.path.rmdir()
                self.folder.path.parent.rmdir()

    def _take_folder(self) -> RunFolder:
        """The folder that the checkpoint comes from, else a new one."""
        checkpoint = self.settings.get("ckpt_path")
        known = RunFolder.of_checkpoint(Path(checkpoint)) if checkpoint else None
        if known is not None:
            self._require_no_other(known)
            return known
        return self._new_folder()

    def _new_folder(self) -> RunFolder:
        try:
            return RunFolder.create(
                Path(self.settings.trainer.default_root_dir),
                self.experiment_name(),
                self.settings.run or self._default_run(),
                on_disk=getattr(rank_zero_only, "rank", 0) == 0,
            )
        except OSError as failure:
            raise UsageError(
                f"trainer.default_root_dir: can not make {failure.filename}: {failure.strerror}"
            ) from failure

    def _require_no_other(self, known: RunFolder) -> None:
        """A checkpoint's run is gone on with, so that no other can be asked for."""
        for name, value in {"experiment": known.experiment, "run": known.run}.items():
            if self.typed.get(f"--{name}", value) != value:
                raise UsageError(
                    f"{name}: the command goes on in the run of its checkpoint, "
                    f"{closing_message.shown(known.path)}; leave out --{name}"
                )
        if not os.access(known.path, os.W_OK):
            raise UsageError(
                f"ckpt_path: can not write into its run, {closing_message.shown(known.path)}"
            )

    def _default_run(self) -> str:
        """Time, family, core where it is a choice, and seed."""
        parts = [type(self.model).__name__]
        if "memory" in self.settings.model.init_args:
            parts.append(core_name(self.model) or "")
        names = "-".join(filter(None, parts)).lower()
        return f"{datetime.now():%Y%m%d-%H%M%S}-{names}-seed{self.settings.seed_everything}"

    def _tags(self, folder: RunFolder) -> list[str]:
        """What a run is found by in W&B: family, core, benchmark, experiment and seed."""
        benchmark = type(self.datamodule).__name__
        names = type(self.model).__name__, core_name(self.model), benchmark, folder.experiment
        return [*filter(None, names), f"seed{self.settings.seed_everything}"]

    def _run_callbacks(self, folder: RunFolder) -> list[L.Callback]:
        trainer, stopwatch, throughput = self.settings.trainer, Stopwatch(), Throughput()
        origin = TrainingOrigin(self.settings.seed_everything)
        settings = self._experiment_settings()
        resolved = yaml.safe_load(settings)
        callbacks = [
            ConfigFile(folder.config, settings),
            ModelFile(folder.model),
            Announcement(self.settings.seed_everything),
            stopwatch,
            throughput,
            origin,
            LoggedCurves(),
            ResultsFile(folder, stopwatch, throughput, origin, resolved),
            LastStep(),
            PredictionsFile(folder.predictions),
            Pictures(folder.path),
            ValidationReport(),
        ]
        if trainer.enable_checkpointing is not False:
            callbacks += [
                best_checkpoint(folder, self.model.measures.family.best_by),
                LastCheckpoint(folder.last_checkpoint),
            ]
        if trainer.enable_progress_bar is not False:
            callbacks.append(progress())
        return callbacks

    def _experiment_settings(self) -> str:
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


def options_of(args: list[str]) -> dict[str, str]:
    """Options with the last value of each, written ``--key=value`` or ``--key value``."""
    options = {}
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        option, _, value = argument.partition("=")
        options[option] = value or following
    return options


def with_config_of_run(args: list[str]) -> list[str]:
    """Add ``--config <run>/config.yaml`` where only a run's checkpoint is named.

    Args:
        args: a subcommand and its options.
    """
    options = options_of(args)
    if "--ckpt_path" not in options or {"--config", "-c"} & options.keys():
        return args
    folder = RunFolder.of_checkpoint(Path(options["--ckpt_path"]))
    if folder is None or not folder.config.is_file():
        return args
    return [args[0], f"--config={folder.config}", *args[1:]]


def main(args: list[str] | None = None) -> None:
    """Run one command.

    Args:
        args: command line; default: the process's own.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "Tip: For seamless cloud" not in record.getMessage()
    )
    name, *options = (sys.argv[1:] if args is None else args) or [""]
    try:
        if name in COMMANDS:
            COMMANDS[name](options)
        else:
            ExperimentCLI(args)
    except UsageError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nInterrupted before the run began.", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
