"""The position of training in its data."""

from typing import Any

import lightning as L


def trained_batches(trainer: L.Trainer) -> int:
    """Count the batches behind a trainer's last optimiser step, over all epochs.

    Batches whose gradients are still being accumulated do not count, nor does the current one. The
    count continues when training resumes.
    """
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    # The last batch of an epoch always ends a step.
    ended = progress.current.processed >= trainer.num_training_batches
    waiting = 0 if ended else progress.current.processed % trainer.accumulate_grad_batches
    return progress.total.processed - waiting
