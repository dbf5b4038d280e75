"""Restores the settings found by Lightning's tuners when training resumes."""

from collections.abc import Iterable, Mapping
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder

#: Callbacks that change a setting before training begins.
TUNERS = (BatchSizeFinder, LearningRateFinder)


def restore_tuned(
    checkpoint: Mapping[str, Any],
    callbacks: Iterable[L.Callback],
    overrides: Iterable[str],
    model: L.LightningModule,
    data: L.LightningDataModule,
) -> None:
    """Restore the settings that tuners found before the training that wrote a checkpoint.

    If tuners ran again, training would continue with other settings.

    Args:
        checkpoint: the checkpoint's content.
        callbacks: callbacks of the run.
        overrides: command-line options, which take precedence.
        model: the model to train.
        data: the model's data.
    """
    settings = {option.rpartition(".")[2] for option in overrides}
    of_model = checkpoint.get("hyper_parameters", {})
    of_data = checkpoint.get("datamodule_hyper_parameters", {})
    for callback in callbacks:
        tunes_rate = isinstance(callback, LearningRateFinder) and "learning_rate" in of_model
        if tunes_rate and "learning_rate" not in settings:
            model.learning_rate = model.hparams["learning_rate"] = of_model["learning_rate"]
        tunes_size = isinstance(callback, BatchSizeFinder) and "batch_size" in of_data
        if tunes_size and "batch_size" not in settings:
            data.hparams["batch_size"] = of_data["batch_size"]
