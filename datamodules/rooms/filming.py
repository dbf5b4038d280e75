"""Renders the films missing from a cache, by processes that may crash, hang or be killed."""

import importlib.util
import os
import shutil
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from tqdm import tqdm

from datamodules.loading.durable_file import clear_unfinished
from datamodules.rooms.cache import FilmCache, Shard, film_type
from datamodules.rooms.film_script import SIZE
from datamodules.rooms.film_worker import FilmWorker, LostFilmWorker
from datamodules.rooms.textures import TEXTURES_FILE
from datamodules.sources import UnreadableData

#: Maximum number of parallel film workers; each takes 0.4 GB.
MOST_WORKERS = 8
#: Number of attempts per shard.
TRIALS = 2
#: The engine in `requirements.lock`.
TESTED = "vizdoom 1.3.2"


class FilmingFailed(UnreadableData):
    """Films cannot be rendered; the one-line message says why."""


def complete(cache: FilmCache, shards: Sequence[Shard], settings: dict[str, Any]) -> None:
    """Render the shards missing from a cache, in only one of several processes.

    Args:
        cache: the films' cache.
        shards: the required shards.
        settings: `camera`, `steps` and `seed` of all films.

    Raises:
        FilmingFailed: the engine is missing, or fails twice on the same shard.
        OSError: the disk is full, or the folder cannot be written.
    """
    if not cache.missing(shards):
        return
    cache.folder.mkdir(parents=True, exist_ok=True)
    with acquired(FileLock(cache.folder / "filming.lock")):
        todo = cache.missing(shards)
        if not todo:
            return
        require_engine()
        clear_unfinished(cache.folder)
        require_space(cache.folder, todo, settings["steps"])
        films = sum(shard.films for shard in todo)
        rank_zero_info(f"Rendering {films:,} films of rooms, once, into {cache.folder}")
        with tqdm(total=films, unit="film", disable=None) as bar:
            Filming(cache, todo, settings, bar.update).run()


def acquired(lock: FileLock) -> AcquireReturnProxy:
    """Acquire a lock, and announce if that may take minutes."""
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        rank_zero_info("Another process renders the same films: waiting for it")
        return lock.acquire()


def require_engine() -> None:
    """Check that the engine is installed.

    Raises:
        FilmingFailed: the engine or its textures are missing, or this is Windows.
    """
    if sys.platform == "win32":
        raise FilmingFailed("rooms cannot be rendered on Windows; run this in WSL")
    found = importlib.util.find_spec("vizdoom")
    if found is None or found.origin is None:
        raise FilmingFailed("ViZDoom, which renders rooms, is missing: pip install vizdoom")
    textures = Path(found.origin).with_name(TEXTURES_FILE)
    if not textures.exists():
        raise FilmingFailed(f"{textures} is missing: pip install --force-reinstall vizdoom")


def engine() -> str:
    """Return the name of the engine, which determines the films; by default, the tested one."""
    try:
        return f"vizdoom {version('vizdoom')}"
    except PackageNotFoundError:
        return TESTED


def require_space(folder: Path, shards: Sequence[Shard], steps: int) -> None:
    """Check that films fit on the disk.

    Raises:
        FilmingFailed: they do not fit.
    """
    needed = sum(shard.films for shard in shards) * film_type(steps, SIZE).itemsize
    free = shutil.disk_usage(folder).free
    if needed > free:
        megabytes = f"{needed / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are free"
        raise FilmingFailed(f"{folder}: films need {megabytes}")


class Filming:
    """Renders the shards of a cache by several film workers.

    Args:
        cache: the films' cache.
        shards: shards to render.
        settings: settings of all films.
        progress: called with the number of films rendered since the last call; negative if films
            were lost.
    """

    def __init__(
        self,
        cache: FilmCache,
        shards: Sequence[Shard],
        settings: dict[str, Any],
        progress: Callable[[int], Any],
    ) -> None:
        self.cache, self.settings, self.progress = cache, settings, progress
        self._todo = deque(shards)
        self._failures: Counter[Shard] = Counter()
        self._reported: Counter[Shard] = Counter()
        self._workers: set[FilmWorker] = set()
        self._stopped = False
        #: Guards the manifest and the progress bar.
        self._lock = Lock()

    def run(self) -> None:
        """Render all shards.

        Raises:
            FilmingFailed: a shard failed twice.
            OSError: a shard could not be written.
        """
        jobs = min(len(self._todo), cores(), MOST_WORKERS)
        with ThreadPoolExecutor(jobs) as pool:
            threads = [pool.submit(self._work) for _ in range(jobs)]
            try:
                wait(threads, return_when=FIRST_EXCEPTION)
            finally:
                self._stopped = True
                for worker in list(self._workers):
                    worker.kill()
        for thread in threads:
            thread.result()

    def _work(self) -> None:
        """Render shards until none is left, with a new worker after each loss."""
        while self._todo and not self._stopped:
            with FilmWorker() as worker:
                self._workers.add(worker)
                try:
                    self._film_with(worker)
                finally:
                    self._workers.discard(worker)

    def _film_with(self, worker: FilmWorker) -> None:
        while not self._stopped:
            try:
                shard = self._todo.popleft()
            except IndexError:
                return
            try:
                path, films = str(self.cache.path(shard).absolute()), shard.films
                request = {"split": shard.split, "first": shard.first, "films": films, "path": path}
                sha256 = worker.render(self.settings | request, partial(self._report, shard))
            except LostFilmWorker as reason:
                self._report(shard, -self._reported[shard])
                self._failures[shard] += 1
                if self._failures[shard] == TRIALS and not self._stopped:
                    which = f"films {shard.first} to {shard.first + shard.films - 1}"
                    raise FilmingFailed(f"{which} of {shard.split}: {reason}") from reason
                self._todo.append(shard)
                return
            with self._lock:
                self.cache.add(shard, sha256)

    def _report(self, shard: Shard, films: int) -> None:
        with self._lock:
            self._reported[shard] += films
            self.progress(films)


def cores() -> int:
    """Return the number of CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
