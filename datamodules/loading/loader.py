"""Loader of batches that are generated whole."""

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

#: An option of Linux's prctl: the signal that a process gets when the one that made it dies.
PR_SET_PDEATHSIG = 1


class BatchLoader(DataLoader[Any]):
    """Batches of a dataset that generates whole ones, handed over quickly by other processes.

    Args:
        dataset: generates batches.
        sampler: chooses the sequences.
        num_workers: processes that generate; with 0, this one does.
        **settings: of ``DataLoader``.
    """

    sampler: EpisodeSampler
    #: The iterator of the last ``iter``, where other processes generate.
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
            self._ahead.close()  # or two threads would fetch from the same workers
        batches = super().__iter__()
        if self.num_workers == 0:
            return batches
        self._ahead = ahead(map(unpack, batches))
        return self._ahead


def ahead(batches: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield the same batches, each fetched by a thread while the one before is trained on.

    Receiving a batch from another process takes one or two milliseconds, which counts beside a step
    of 40.
    """
    thread = ThreadPoolExecutor(1, "next batch")
    coming = thread.submit(next, batches, None)
    try:
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch
    except GeneratorExit:
        wait([coming])  # the iterator must be idle before anybody else goes on with it
        raise
    finally:
        # Without waiting: after Ctrl-C, or the end of a worker, no batch may come for seconds.
        thread.shutdown(wait=False)


def follow_trainer(worker: int) -> None:
    """Let a process that generates data outlive signals to all of a run, and die with the trainer.

    The trainer decides when to stop; until then it needs batches. Without it, a worker that waits
    for somebody to take its batches would wait for ever.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows lacks the last
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def end_workers() -> None:
    """End what Python asks to end when it exits, and then waits for: workers would not hear it."""
    workers = [process for process in multiprocessing.active_children() if process.daemon]
    # PyTorch raises an error wherever the process is when a worker dies.
    main = threading.current_thread() is threading.main_thread() and sys.platform != "win32"
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if main and workers else None
    for worker in workers:
        worker.kill()
        worker.join()
    if before is not None:
        signal.signal(signal.SIGCHLD, before)


def as_is(batch: Any) -> Any:
    """Return a batch that was generated whole: a collate function."""
    return batch
