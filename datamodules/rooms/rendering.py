"""Rendering of what a cache lacks, by processes that may crash, hang or be killed."""

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
from datamodules.rooms.renderer import LostRenderer, Renderer
from datamodules.rooms.textures import TEXTURES_FILE
from datamodules.sources import UnreadableData

#: Renderers at once: each takes 0.4 GB.
MOST_RENDERERS = 8
#: Times that a shard is tried.
TRIALS = 2
#: The engine of `requirements.lock`.
TESTED = "vizdoom 1.3.2"


class RenderingFailed(UnreadableData):
    """Films cannot be rendered; the message is one line that says why."""


def complete(cache: FilmCache, shards: Sequence[Shard], settings: dict[str, Any]) -> None:
    """Render those of some shards that a cache lacks; of several processes, one does.

    Args:
        cache: of the films.
        shards: that it shall have.
        settings: of all films, `camera`, `steps` and `seed`.

    Raises:
        RenderingFailed: the engine is missing, or fails twice on the same shard.
        OSError: the disk is full, or the folder cannot be written.
    """
    if not cache.missing(shards):
        return
    cache.folder.mkdir(parents=True, exist_ok=True)
    with acquired(FileLock(cache.folder / "rendering.lock")):
        todo = cache.missing(shards)
        if not todo:
            return
        require_engine()
        require_space(cache.folder, todo, settings["steps"])
        films = sum(shard.films for shard in todo)
        rank_zero_info(f"Rendering {films:,} films of rooms, once, into {cache.folder}")
        with tqdm(total=films, unit="film", disable=None) as bar:
            Rendering(cache, todo, settings, bar.update).run()


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
        RenderingFailed: it or its textures are missing, or this is Windows.
    """
    if sys.platform == "win32":
        raise RenderingFailed("rooms cannot be rendered on Windows; run this in WSL")
    found = importlib.util.find_spec("vizdoom")
    if found is None or found.origin is None:
        raise RenderingFailed("ViZDoom, which renders rooms, is missing: pip install vizdoom")
    textures = Path(found.origin).with_name(TEXTURES_FILE)
    if not textures.exists():
        raise RenderingFailed(f"{textures} is missing: pip install --force-reinstall vizdoom")


def engine() -> str:
    """Name the engine, whose textures are in the films; where there is none, the tested one."""
    try:
        return f"vizdoom {version('vizdoom')}"
    except PackageNotFoundError:
        return TESTED


def require_space(folder: Path, shards: Sequence[Shard], steps: int) -> None:
    """Look whether films fit on the disk before they are rendered.

    Raises:
        RenderingFailed: they do not.
    """
    wanted = sum(shard.films for shard in shards) * film_type(steps, SIZE).itemsize
    free = shutil.disk_usage(folder).free
    if wanted > free:
        megabytes = f"{wanted / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are free"
        raise RenderingFailed(f"{folder}: films need {megabytes}")


class Rendering:
    """Several renderers at work on the shards of a cache.

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
        self._renderers: set[Renderer] = set()
        self._stopped = False
        #: Around the manifest and the bar.
        self._lock = Lock()

    def run(self) -> None:
        """Render until nothing is left.

        Raises:
            RenderingFailed: a shard failed twice.
            OSError: one could not be written.
        """
        jobs = min(len(self._todo), cores(), MOST_RENDERERS)
        with ThreadPoolExecutor(jobs) as pool:
            workers = [pool.submit(self._work) for _ in range(jobs)]
            try:
                wait(workers, return_when=FIRST_EXCEPTION)
            finally:
                self._stopped = True
                for renderer in list(self._renderers):
                    renderer.kill()
        for worker in workers:
            worker.result()

    def _work(self) -> None:
        """Render shards until none is left, with a new renderer where one was lost."""
        while self._todo and not self._stopped:
            with Renderer() as renderer:
                self._renderers.add(renderer)
                try:
                    self._render_with(renderer)
                finally:
                    self._renderers.discard(renderer)

    def _render_with(self, renderer: Renderer) -> None:
        while not self._stopped:
            try:
                shard = self._todo.popleft()
            except IndexError:
                return
            try:
                path, films = str(self.cache.path(shard).absolute()), shard.films
                asked = {"split": shard.split, "first": shard.first, "films": films, "path": path}
                sha256 = renderer.render(self.settings | asked, partial(self._report, shard))
            except LostRenderer as reason:
                self._report(shard, -self._reported[shard])
                self._failures[shard] += 1
                if self._failures[shard] == TRIALS and not self._stopped:
                    which = f"films {shard.first} to {shard.first + shard.films - 1}"
                    raise RenderingFailed(f"{which} of {shard.split}: {reason}") from reason
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
