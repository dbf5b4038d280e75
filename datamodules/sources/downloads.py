"""Downloads that are complete and checked, or leave nothing behind."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch

CONNECT_SECONDS, READ_SECONDS = 5, 15


def arrive_together(
    folder: Path, names: Sequence[str], fetch: Callable[[str, Path], None], suffix: str = ""
) -> None:
    """Download files, and move them into a folder atomically once all have arrived.

    Args:
        folder: destination; created if missing.
        names: names of the files, without the suffix.
        fetch: downloads the named file into a folder, or raises.
        suffix: suffix of every file.
    """
    # Near the destination, so that renaming is atomic, but without creating it if this fails.
    nearby = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with TemporaryDirectory(prefix=".download-", dir=nearby) as arrivals:
        for name in names:
            fetch(name, Path(arrivals))
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.replace(Path(arrivals, f"{name}{suffix}"), folder / f"{name}{suffix}")


def retrieve(url: str, md5: str, folder: Path) -> None:
    """Download one file, named as in its URL.

    Raises:
        OSError: the server does not answer, or the folder cannot be written.
        ValueError: what was downloaded does not match its checksum.
    """
    # Silence pooch's announcements; the choice of the source is reported in one line instead.
    pooch.get_logger().setLevel("WARNING")
    pooch.retrieve(
        url,
        known_hash=f"md5:{md5}",
        fname=url.rpartition("/")[2],
        path=folder,
        downloader=pooch.HTTPDownloader(
            timeout=(CONNECT_SECONDS, READ_SECONDS), chunk_size=1 << 16
        ),
    )
