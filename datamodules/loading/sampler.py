"""Distributes sequences among processes."""

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DistributedSampler, SequentialSampler

from datamodules.loading.episodes import EpisodeDataset


class EpisodeSampler(DistributedSampler[int], SequentialSampler):
    """Distributes global episode ids to the processes, round robin.

    Lightning does not replace it, since it is a DistributedSampler, and for ``overfit_batches`` a
    SequentialSampler.

    Training (with a `batch_size`): whole batches of the ids from `start` on, as many as `size` has,
    at least one. Since `start` moves on, every epoch has new sequences; those that fill no batch at
    an epoch's end are the first of the next one.
    Evaluation: the same sequences every time, each in exactly one process; the processes' numbers
    differ by at most one (see `even_batch_size`).
    """

    def __init__(
        self,
        dataset: EpisodeDataset[Any],
        rank: int,
        world_size: int,
        batch_size: int | None = None,
        start: Callable[[], int] = lambda: 0,
    ) -> None:
        """Take the rank explicitly, so that no process group is needed.

        Args:
            dataset: the split's dataset.
            rank: of this process.
            world_size: number of processes.
            batch_size: training batch size per process; None in evaluation.
            start: returns the first episode, over all processes, of a new iteration.
        """
        super().__init__(dataset, num_replicas=world_size, rank=rank, shuffle=False)
        self.size, self.batch_size, self.start = len(dataset), batch_size, start

    def __iter__(self) -> Iterator[int]:
        """Iterate over the episode ids of this process in one epoch."""
        first = self.start() + self.rank
        return iter(range(first, first + len(self) * self.num_replicas, self.num_replicas))

    def __len__(self) -> int:
        """Return the number of this process's sequences in an epoch."""
        if self.batch_size is None:
            return len(range(self.rank, self.size, self.num_replicas))
        batches = self.size // (self.batch_size * self.num_replicas)
        return max(1, batches) * self.batch_size


def even_batch_size(size: int, world_size: int, at_most: int) -> int:
    """Return the largest evaluation batch size that gives all processes equally many batches.

    DistributedDataParallel broadcasts buffers (batch norm's) in every forward pass, in evaluation
    too: a process with one batch more than the others would wait for them for ever. Sequences per
    process differ by one at most, so a slightly smaller batch evens the count without padding.

    Raises:
        ValueError: there is no such batch size; the message says what to change.
    """
    if size % world_size == 0:
        return at_most
    fewest = size // world_size
    for batch_size in range(at_most, 1, -1):
        if fewest % batch_size:
            return batch_size
    raise ValueError(
        f"eval_batch_size must split {size} sequences into equally many batches on each of "
        f"{world_size} devices (a multiple of {world_size} always does), got {at_most}"
    )
