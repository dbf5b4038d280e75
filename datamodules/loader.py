"""A training loader that goes on where an interrupted run stopped."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from datamodules.sampler import EpisodeSampler


class TrainingLoader(DataLoader[Any]):
    """Counts the sequences that it hands out, so that none is repeated or left out.

    Lightning's own count of batches and epochs cannot serve: a run that reaches ``max_steps``
    within an epoch counts that epoch as complete.
    """

    sampler: EpisodeSampler

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """One epoch of new sequences, from the first one that was not handed out yet."""
        for batch in super().__iter__():
            self.sampler.start += len(batch[0]) * self.sampler.num_replicas
            yield batch
