"""Local server of a page that is rebuilt when a run's files change."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from lightning_modules.records.kept import distinct
from lightning_modules.records.problems import NoRuns
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_finder import find_runs
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.page import NOTHING_TO_SHOW, encoded, page, static, write
from lightning_modules.report.sections.left_out import left_out

HOST = "127.0.0.1"


class LivePage:
    """Current page of some folders.

    Args:
        folders: run folders, or folders above them.
        out: file to which each page is also written.
    """

    def __init__(self, folders: Sequence[Path], out: Path | None = None) -> None:
        self.folders, self.out = folders, out
        self._lock = Lock()
        self._cached: tuple[str, str] | None = None

    def version(self) -> str:
        """Return a version that changes with the runs' files; "waiting" while there are none."""
        try:
            states = list(self._states())
        except NoRuns:
            return "waiting"
        return sha256(repr(states).encode()).hexdigest()[:16]

    def content(self) -> str:
        """Return the page, rebuilt if a file has changed."""
        with self._lock:
            version = self.version()
            if self._cached is None or self._cached[0] != version:
                self._cached = version, self._make(version)
            return self._cached[1]

    def _make(self, version: str) -> str:
        script = tag("script", static("live.js"), data_version=version, id="live")
        try:
            found = read_runs(self.folders)
            if not found.runs:
                return _waiting(NOTHING_TO_SHOW, left_out(found.problems).markup(), script)
            content = page(found._replace(runs=distinct(found.runs)), script)
        except NoRuns as reason:
            return _waiting(str(reason), script)
        if self.out is not None:
            write(content, self.out)
        return content

    def _states(self) -> Iterator[Hashable]:
        for run in find_runs(self.folders)[0]:
            for file in _shown_files(run):
                with suppress(OSError):
                    state = file.stat()
                    yield str(file), state.st_mtime_ns, state.st_size


def _waiting(reason: str, *content: Markup) -> str:
    return f"<!doctype html>{tag('html', tag('body', f'Waiting: {reason}.', *content))}\n"


def _shown_files(run: Path) -> list[Path]:
    if run.is_file():
        return [run]
    folder = RunFolder(run)
    single = [folder.results, folder.metrics, folder.config, folder.model, folder.film]
    pictures = (path for ending in ("png", "webp") for path in folder.pictures.glob(f"*.{ending}"))
    return [*single, folder.probe, *sorted(pictures)]


class Handler(BaseHTTPRequestHandler):
    """Serves the page and its version."""

    live: LivePage

    def do_GET(self) -> None:
        """Answer only to local host names, so that no other site can read the page."""
        host = self.headers.get("Host", "").partition(":")[0]
        if host not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._answer(self.live.content(), "text/html; charset=utf-8")
        elif self.path == "/version":
            self._answer(self.live.version(), "text/plain")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _answer(self, text: str, kind: str) -> None:
        content = encoded(text)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def server(live: LivePage, port: int) -> ThreadingHTTPServer:
    """Return a server that listens on this machine only.

    Args:
        live: the page to serve.
        port: port to listen on; 0 for any free one.

    Raises:
        OSError: the port is in use.
    """
    return ThreadingHTTPServer((HOST, port), type("LiveHandler", (Handler,), {"live": live}))
