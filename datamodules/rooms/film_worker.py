"""Starts and supervises film workers: processes that film rooms (see `serve.py`)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from types import TracebackType
from typing import Any

#: Seconds without output after which a worker is killed; starting takes a few, or half a minute if
#: other programs keep all processors busy.
SILENCE = 120.0
PACKAGE = Path(__file__).parents[2]


class LostFilmWorker(Exception):
    """A film worker ended or was silent for too long; the message says which."""


class FilmWorker:
    """A worker process with its own folder, both removed at the end.

    The engine is another process, which outlives a killed worker, so both are killed together.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="rooms-")
        self._log = Path(self._folder.name, "worker.log")
        paths = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: the working directory may be another checkout, which would take precedence.
                [sys.executable, "-P", "-m", "datamodules.rooms.serve", self._folder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                encoding="utf-8",
                start_new_session=True,
            )
        self._silent = self._ended = False
        self._shared_memory: list[str] = []

    def __enter__(self) -> "FilmWorker":
        """Return the worker."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End the process, and remove its folder."""
        self.kill()
        self._folder.cleanup()

    def kill(self) -> None:
        """Kill the process and its engine, and remove their shared memory."""
        if self._ended:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._ended = True
        for path in self._shared_memory:
            Path(path).unlink(missing_ok=True)

    def render(self, request: dict[str, Any], progress: Callable[[int], Any]) -> str:
        """Render a shard.

        Args:
            request: fields of `serve.Request`.
            progress: called with the number of films rendered since the last call.

        Returns:
            The hash of its file.

        Raises:
            LostFilmWorker: the process crashed, hangs or was killed.
            OSError: the file cannot be written.
        """
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(BrokenPipeError):  # the next read reports how the process ended
            print(json.dumps(request), file=pipe, flush=True)
        while True:
            answer = self._answer()
            self._shared_memory = answer.get("shared_memory", self._shared_memory)
            progress(answer.get("films", 0))
            if "error" in answer:
                raise OSError(*answer["error"])
            if "sha256" in answer:
                return answer["sha256"]

    def _answer(self) -> dict[str, Any]:
        """Wait for a line of output."""
        assert self._process.stdout is not None
        watchdog = Timer(SILENCE, self._give_up)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if line.endswith("\n"):
            return json.loads(line)
        if self._silent:
            raise LostFilmWorker(f"the engine did not answer for {SILENCE:.0f} s")
        raise LostFilmWorker(
            f"the engine ended with status {self._process.wait()}{self._last_words()}"
        )

    def _give_up(self) -> None:
        self._silent = True
        self.kill()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""
