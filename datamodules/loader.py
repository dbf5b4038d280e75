"""A training loader that goes on where an interrupted run stopped."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from datamodules.dataset import as_is
from datamodules.sampler import EpisodeSampler


class EpisodeLoader(DataLoader[Any]):
    """Batches of a sampler's sequences, whole as the dataset generates them."""

    sampler: EpisodeSampler

    def __init__(self, sampler: EpisodeSampler, batch_size: int, **options: Any) -> None:
        """Take the sampler, the sequences per batch, and options of ``DataLoader``."""
        super().__init__(
            sampler.dataset, batch_size=batch_size, sampler=sampler, collate_fn=as_is, **options
        )


class TrainingLoader(EpisodeLoader):
    """Counts the sequences that it hands out, so that none is repeated or left out.

    Lightning's own count of batches and epochs cannot serve: a run that reaches ``max_steps``
    within an epoch counts that epoch as complete.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """One epoch of new sequences, from the first one that was not handed out yet."""
        for batch in super().__iter__():
            self.sampler.start += len(batch.frames) * self.sampler.num_replicas
            yield batch
