"""Films on disk: memory-mapped shards, and a manifest of the complete ones."""

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.loading.durable_file import replacing
from datamodules.sources import Split

#: Films in a shard; the last one of a split may have fewer.
SHARD = 200
MANIFEST = "manifest.json"


class Shard(NamedTuple):
    """A part of a split, in its own file."""

    split: Split
    number: int
    films: int  #: number of films needed, at most `SHARD`

    @property
    def first(self) -> int:
        """Index of the first film in its split."""
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
    """Return the type of a film: frames [T, 3, size, size] and camera poses [T, 3]."""
    return np.dtype([("frames", "u1", (steps, 3, size, size)), ("poses", "<i4", (steps, 3))])


class Films:
    """Films of a split; each shard is memory-mapped when a process first reads from it.

    Only the paths are pickled for data workers: NumPy would pickle a memory map's content.

    Args:
        paths: paths of the shards, in order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self._shards: dict[int, NDArray[np.void]] = {}

    def __getitem__(self, number: int) -> np.void:
        """Return a film of type `film_type`."""
        shard, place = divmod(number, SHARD)
        if shard not in self._shards:
            self._shards[shard] = np.load(self.paths[shard], mmap_mode="r")
        return self._shards[shard][place]

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the memory maps."""
        return {"paths": self.paths, "_shards": {}}


class FilmCache:
    """A folder of films with the same settings.

    Args:
        folder: folder of the films, which need not exist.
        made_of: settings that determine the films, as in JSON; films with other settings are
            ignored.
    """

    def __init__(self, folder: Path, made_of: dict[str, Any]) -> None:
        self.folder, self.made_of = folder, made_of

    def path(self, shard: Shard) -> Path:
        """Return the path of a shard, whether or not it exists."""
        return self.folder / shard.file

    def missing(self, shards: Sequence[Shard]) -> list[Shard]:
        """List the shards that are missing, too short, or damaged; reads all of them.

        A damaged shard keeps its number of films if larger than needed: others may read them.
        """
        entries = self._manifest()
        return [
            shard._replace(films=max(shard.films, films_of(entries.get(shard.file))))
            for shard in shards
            if not self._is_whole(shard, entries.get(shard.file))
        ]

    def add(self, shard: Shard, sha256: str) -> None:
        """Record that a shard is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shards = self._manifest() | {shard.file: {"films": shard.films, "sha256": sha256}}
        content = json.dumps({"made_of": self.made_of, "shards": shards}, indent=1)
        with replacing(self.folder / MANIFEST) as file:
            file.write(content.encode())

    def open(self, shards: Sequence[Shard]) -> Films:
        """Return the films of all shards of a split."""
        return Films([self.path(shard) for shard in shards])

    def _manifest(self) -> dict[str, Any]:
        """Read the entries of all shards; empty if the manifest is damaged or does not apply."""
        try:
            content = json.loads((self.folder / MANIFEST).read_bytes())
            return content["shards"] if content["made_of"] == self.made_of else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _is_whole(self, shard: Shard, entry: Any) -> bool:
        try:
            return bool(
                entry["films"] >= shard.films and sha256(self.path(shard)) == entry["sha256"]
            )
        except (OSError, KeyError, TypeError):
            return False


def films_of(entry: Any) -> int:
    """Return the number of films in a shard's manifest entry; 0 without a valid entry."""
    films = entry.get("films") if isinstance(entry, dict) else None
    return min(films, SHARD) if isinstance(films, int) else 0


def write_films(path: Path, films: NDArray[np.void]) -> str:
    """Write films to a shard's file, and return its hash.

    Raises:
        OSError: the disk is full, or the file is not writable.
    """
    # NumPy would write to a file directly, and raise errors without an errno.
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
