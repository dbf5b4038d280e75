"""The callbacks of a run, in the order in which they are called."""

import lightning as L
import yaml
from jsonargparse import Namespace

from lightning_modules.callbacks.announcement import Announcement
from lightning_modules.callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from lightning_modules.callbacks.closing_validation import ClosingValidation
from lightning_modules.callbacks.config_file import ConfigFile
from lightning_modules.callbacks.flight_recorder import FlightRecorder
from lightning_modules.callbacks.last_step import LastStep
from lightning_modules.callbacks.logged_curves import LoggedCurves
from lightning_modules.callbacks.model_file import ModelFile
from lightning_modules.callbacks.pictures import Pictures
from lightning_modules.callbacks.predictions_file import PredictionsFile
from lightning_modules.callbacks.progress import ValidationReport, progress
from lightning_modules.callbacks.results_file import ResultsFile
from lightning_modules.callbacks.stop_at_signal import StopAtSignal
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.callbacks.stopwatch import Stopwatch
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.callbacks.training_origin import TrainingOrigin
from lightning_modules.command_line.closing_message import program
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.sequence_model import SequenceModel


def run_callbacks(
    folder: RunFolder,
    model: SequenceModel,
    settings: Namespace,
    saved: str,
    signals: StopSignals,
) -> list[L.Callback]:
    """Build a run's callbacks.

    Args:
        folder: the run's folder.
        model: its family declares the measure that selects the best checkpoint.
        settings: the command's settings.
        saved: the experiment's settings as YAML, for the run's config.yaml.
        signals: handler of the signals that end the run.
    """
    seed, stopwatch, throughput = settings.seed_everything, Stopwatch(), Throughput()
    recorder = FlightRecorder(folder.path, saved, settings.on_divergence, program())
    origin = TrainingOrigin(seed)
    callbacks = [
        recorder,
        StopAtSignal(signals),
        # Before the others, so that they see its results at the end of training.
        ClosingValidation(),
        ConfigFile(folder.config, saved),
        ModelFile(folder.model),
        Announcement(seed),
        stopwatch,
        throughput,
        origin,
        LoggedCurves(),
        LastStep(),
        PredictionsFile(folder.predictions),
        Pictures(folder.path),
        # After all other files of a test: a sweep never tests a run with results again.
        ResultsFile(folder, stopwatch, throughput, origin, recorder, yaml.safe_load(saved)),
        ValidationReport(),
    ]
    if settings.trainer.enable_checkpointing is not False:
        best = BestCheckpoint(folder, model.measures.family.best_by)
        callbacks += [best, LastCheckpoint(folder, signals)]
    if settings.trainer.enable_progress_bar is not False:
        callbacks.append(progress())
    return callbacks
