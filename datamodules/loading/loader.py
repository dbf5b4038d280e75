"""Loads batches that are generated whole."""

import atexit
import ctypes
import multiprocessing
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from torch.utils.data import DataLoader

from datamodules.loading.episodes import EpisodeDataset
from datamodules.loading.packing import pack, unpack
from datamodules.loading.sampler import EpisodeSampler

#: Option of Linux's prctl: the signal sent to a process when its parent dies.
PR_SET_PDEATHSIG = 1


class BatchLoader(DataLoader[Any]):
    """Loads whole batches from a dataset, with fast transfer from worker processes.

    Args:
        dataset: generates batches.
        sampler: chooses the sequences.
        num_workers: number of generating processes; 0 generates in this one.
        **settings: of ``DataLoader``.
    """

    sampler: EpisodeSampler
    #: Iterator of the last ``iter``, if worker processes generate.
    _ahead: Generator[Any, None, None] | None = None

    def __init__(
        self,
        dataset: EpisodeDataset[Any],
        sampler: EpisodeSampler,
        num_workers: int,
        **settings: Any,
    ) -> None:
        super().__init__(
            dataset,
            sampler=sampler,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=pack if num_workers > 0 else as_is,
            worker_init_fn=follow_trainer,
            **settings,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Iterate over one epoch."""
        if self._ahead is not None:
            self._ahead.close()  # otherwise two threads would fetch from the same workers
        batches = super().__iter__()
        if self.num_workers == 0:
            return batches
        self._ahead = ahead(map(unpack, batches))
        return self._ahead


def ahead(batches: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield the same batches, each fetched by a thread while the previous one is in use.

    Receiving a batch from another process takes one or two milliseconds, which matters for steps of
    40.
    """
    thread = ThreadPoolExecutor(1, "next batch")
    upcoming = thread.submit(next, batches, None)
    try:
        while (batch := upcoming.result()) is not None:
            upcoming = thread.submit(next, batches, None)
            yield batch
    except GeneratorExit:
        wait([upcoming])  # the iterator must be idle before anything else uses it
        raise
    finally:
        # Do not wait: after Ctrl-C or a worker's death, a batch may take seconds or never arrive.
        thread.shutdown(wait=False)


def follow_trainer(worker: int) -> None:
    """Let a data worker ignore signals to the whole run, and die with the trainer.

    The trainer decides when to stop, and needs batches until then. A worker that outlived it would
    wait for ever.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows lacks SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def end_workers() -> None:
    """Kill workers at exit; Python would send them SIGTERM, which they ignore, and wait."""
    workers = [process for process in multiprocessing.active_children() if process.daemon]
    # PyTorch's SIGCHLD handler would raise an error when a worker dies.
    main = threading.current_thread() is threading.main_thread() and sys.platform != "win32"
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if main and workers else None
    for worker in workers:
        worker.kill()
        worker.join()
    if before is not None:
        signal.signal(signal.SIGCHLD, before)


def as_is(batch: Any) -> Any:
    """Return a batch unchanged: the collate function for whole batches."""
    return batch
