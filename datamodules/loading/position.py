"""Position of a training in its data."""

from typing import Any

import lightning as L


def trained_batches(trainer: L.Trainer) -> int:
    """Count the batches behind a trainer's last optimiser step, over all epochs.

    Batches whose gradients are still being accumulated do not count, and neither does one that is
    in work. A training that was resumed goes on counting.
    """
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    # An epoch's last batch ends a step, whatever was accumulated.
    ended = progress.current.processed >= trainer.num_training_batches
    waiting = 0 if ended else progress.current.processed % trainer.accumulate_grad_batches
    return progress.total.processed - waiting
