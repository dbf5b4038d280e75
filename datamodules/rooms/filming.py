"""Filming of what a cache lacks, by processes that may crash, hang or be killed."""

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

from datamodules.rooms.cache import FilmCache, Shard, film_type
from datamodules.rooms.film_script import SIZE
from datamodules.rooms.film_worker import FilmWorker, LostFilmWorker
from datamodules.rooms.textures import TEXTURES_FILE
from datamodules.sources import UnreadableData

#: Film workers at once: each takes 0.4 GB.
MOST_WORKERS = 8
#: Times that a shard is tried.
TRIALS = 2
#: The engine of `requirements.lock`.
TESTED = "vizdoom 1.3.2"


class FilmingFailed(UnreadableData):
    """Films cannot be rendered; the message is one line that says why."""


def complete(cache: FilmCache, shards: Sequence[Shard], settings: dict[str, Any]) -> None:
    """Render those of some shards that a cache lacks; of several processes, one does.

    Args:
        cache: of the films.
        shards: that it shall have.
        settings: of all films, `camera`, `steps` and `seed`.

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
        require_space(cache.folder, todo, settings["steps"])
        films = sum(shard.films for shard in todo)
        rank_zero_info(f"Rendering {films:,} films of rooms, once, into {cache.folder}")
        with tqdm(total=films, unit="film", disable=None) as bar:
            Filming(cache, todo, settings, bar.update).run()


def acquired(lock: FileLock) -> AcquireReturnProxy:
    """Acquire a lock, and say so where that may take minutes."""
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        rank_zero_info("Another process renders the same films: waiting for it")
        return lock.acquire()


def require_engine() -> None:
    """Look for the engine before processes are started.

    Raises:
        FilmingFailed: it or its textures are missing, or this is Windows.
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
    """Name the engine, whose textures are in the films; where there is none, the tested one."""
    try:
        return f"vizdoom {version('vizdoom')}"
    except PackageNotFoundError:
        return TESTED


def require_space(folder: Path, shards: Sequence[Shard], steps: int) -> None:
    """Look whether films fit on the disk before they are rendered.

    Raises:
        FilmingFailed: they do not.
    """
    wanted = sum(shard.films for shard in shards) * film_type(steps, SIZE).itemsize
    free = shutil.disk_usage(folder).free
    if wanted > free:
        megabytes = f"{wanted / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are free"
        raise FilmingFailed(f"{folder}: films need {megabytes}")


class Filming:
    """Several film workers at work on the shards of a cache.

    Args:
        cache: of the films.
        shards: to render.
        settings: of all films.
        progress: is called with the number of films that were rendered since; it is below zero
            where they were lost.
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
        #: Around the manifest and the bar.
        self._lock = Lock()

    def run(self) -> None:
        """Render until nothing is left.

        Raises:
            FilmingFailed: a shard failed twice.
            OSError: one could not be written.
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
        """Render shards until none is left, with a new worker where one was lost."""
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
                asked = {"split": shard.split, "first": shard.first, "films": films, "path": path}
                sha256 = worker.render(self.settings | asked, partial(self._report, shard))
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
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
