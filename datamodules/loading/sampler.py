"""Divides sequences among processes."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DistributedSampler

from datamodules.loading.episodes import EpisodeDataset


class EpisodeSampler(DistributedSampler[int]):
    """Deals global episode ids out to the processes, round robin.

    Lightning leaves it alone because it is a DistributedSampler already.

    Training (`fixed=False`): `train_size` ids from `start` on, which the loader moves forward, so
    that every epoch has new sequences; each process gets the same number of them, and fewer than
    `world_size` at the end of an epoch are left for the next one.
    Evaluation (`fixed=True`): the same sequences every time, each in exactly one process; the
    processes' numbers differ by at most one (see `even_batch_size`).
    """

    def __init__(
        self, dataset: EpisodeDataset[Any], rank: int, world_size: int, fixed: bool
    ) -> None:
        """Take the rank explicitly, so that no process group is needed."""
        super().__init__(dataset, num_replicas=world_size, rank=rank, shuffle=False)
        self.size, self.fixed = len(dataset), fixed
        #: The first episode, of all processes, that the next iteration deals out.
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        """Iterate over the episode ids of this process in one epoch."""
        stop = self.start + (self.size if self.fixed else len(self) * self.num_replicas)
        return iter(range(self.start + self.rank, stop, self.num_replicas))

    def __len__(self) -> int:
        """Count the sequences of this process in one epoch."""
        if self.fixed:
            return len(range(self.rank, self.size, self.num_replicas))
        return self.size // self.num_replicas  # the remainder belongs to the next epoch


def even_batch_size(size: int, world_size: int, at_most: int) -> int:
    """Largest evaluation batch size that gives every process the same number of batches.

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
        f"eval_batch_size must be able to split {size} sequences into equally many batches "
        f"on {world_size} devices (a multiple of {world_size} always is), got {at_most}"
    )
