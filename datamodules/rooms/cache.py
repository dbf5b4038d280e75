"""Films on disk: shards that are memory-mapped, and a manifest that says which ones are whole."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.sources import Split

#: Films in a shard; the last one of a split may have fewer.
SHARD = 200
MANIFEST = "manifest.json"


class Shard(NamedTuple):
    """A part of a split, in a file of its own."""

    split: Split
    number: int
    films: int  #: how many of it are needed, at most `SHARD`

    @property
    def first(self) -> int:
        """Number of the first film in its split."""
        return self.number * SHARD

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.split}-{self.number:05}.npy"


def shards_of(split: Split, films: int) -> list[Shard]:
    """Divide the first films of a split into shards."""
    starts = range(0, films, SHARD)
    return [Shard(split, n, min(SHARD, films - first)) for n, first in enumerate(starts)]


def film_type(steps: int, size: int) -> np.dtype[Any]:
    """Type of one film in a shard: frames [T, 3, size, size] and poses of the camera [T, 3]."""
    return np.dtype([("frames", "u1", (steps, 3, size, size)), ("poses", "<i4", (steps, 3))])


class Films:
    """Films of a split, each shard mapped into memory when a process first asks for one of it.

    What is pickled for a data worker is their paths alone: NumPy pickles a map with all it shows.

    Args:
        paths: of the shards, in order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self._shards: dict[int, NDArray[np.void]] = {}

    def __getitem__(self, number: int) -> np.void:
        """Return a film, as `film_type` has it."""
        shard, place = divmod(number, SHARD)
        if shard not in self._shards:
            self._shards[shard] = np.load(self.paths[shard], mmap_mode="r")
        return self._shards[shard][place]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is mapped."""
        return {"paths": self.paths, "_shards": {}}


class FilmCache:
    """A folder of films with the same settings.

    Args:
        folder: it need not exist.
        made_of: what decides on the films, as JSON has it; films for which any of it differs are
            taken for none.
    """

    def __init__(self, folder: Path, made_of: dict[str, Any]) -> None:
        self.folder, self.made_of = folder, made_of

    def path(self, shard: Shard) -> Path:
        """Return where a shard is, or would be."""
        return self.folder / shard.file

    def missing(self, shards: Sequence[Shard]) -> list[Shard]:
        """List the shards that are not there, too short, or damaged; reads all of them.

        One that had more films than are needed shall have as many again: others may read them.
        """
        known = self._manifest()
        return [
            shard._replace(films=max(shard.films, films_of(known.get(shard.file))))
            for shard in shards
            if not self._is_whole(shard, known.get(shard.file))
        ]

    def add(self, shard: Shard, sha256: str) -> None:
        """Note that a shard is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shards = self._manifest() | {shard.file: {"films": shard.films, "sha256": sha256}}
        content = json.dumps({"made_of": self.made_of, "shards": shards}, indent=1)
        with replacing(self.folder / MANIFEST) as file:
            file.write(content.encode())

    def open(self, shards: Sequence[Shard]) -> Films:
        """Return the films of all shards of a split."""
        return Films([self.path(shard) for shard in shards])

    def _manifest(self) -> dict[str, Any]:
        """Read what is known of each shard; nothing if that is of other films, or damaged."""
        try:
            content = json.loads((self.folder / MANIFEST).read_bytes())
            return content["shards"] if content["made_of"] == self.made_of else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _is_whole(self, shard: Shard, known: Any) -> bool:
        try:
            return bool(
                known["films"] >= shard.films and sha256(self.path(shard)) == known["sha256"]
            )
        except (OSError, KeyError, TypeError):
            return False


def films_of(known: Any) -> int:
    """Read how many films a shard has, by its entry in the manifest; 0 if it has none."""
    films = known.get("films") if isinstance(known, dict) else None
    return min(films, SHARD) if isinstance(films, int) else 0


def write_films(path: Path, films: NDArray[np.void]) -> str:
    """Write films into the file of a shard, and return its hash.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    # Given a file, NumPy writes past Python, and its error has no number that says what failed.
    buffer = BytesIO()
    np.save(buffer, films)
    content = buffer.getbuffer()
    with replacing(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another once all of it is written.

    Raises:
        OSError: it cannot be written; its `filename` is set, as Python does not do.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as failure:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(failure, OSError):
            failure.filename = str(path)
        raise
