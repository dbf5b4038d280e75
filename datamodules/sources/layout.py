"""Finds a data set's files, whose names and places depend on where they were downloaded."""

from collections.abc import Mapping
from os.path import isdir, isfile
from pathlib import Path
from typing import NamedTuple


class Layout(NamedTuple):
    """The files of a data set, with all of their possible places and names."""

    places: tuple[str, ...]
    """Folders below the data folder, in search order; "" is the data folder itself."""
    spellings: Mapping[str, tuple[str, ...]]
    """By a file's published name: its possible paths below a place; folders end with "/".
    The first that exists is read."""
    variants: str
    """A description of the spellings, for a message."""

    def find(self, data_dir: Path, name: str) -> Path | None:
        """Return the first existing path of a file or an unpacked folder; None without one."""
        for place in self.places:
            for spelling in self.spellings[name]:
                path = data_dir / place / spelling
                # A file may have been unpacked into a folder of the same name.
                if isdir(path) if spelling.endswith("/") else isfile(path):
                    return path
        return None

    def path(self, data_dir: Path, name: str) -> Path:
        """Return the path of a file; if missing, where a download would put it."""
        return self.find(data_dir, name) or data_dir / self.places[0] / name

    def missing(self, data_dir: Path) -> list[str]:
        """List the missing files, by their published names."""
        return [name for name in self.spellings if self.find(data_dir, name) is None]

    def folder(self, data_dir: Path) -> Path:
        """Return the folder of the first existing file."""
        paths = (self.find(data_dir, name) for name in self.spellings)
        return next((path.parent for path in paths if path), data_dir / self.places[0])

    def lack(self, data_dir: Path) -> str:
        """Return a clause that names the missing files and the places searched."""
        if not data_dir.is_dir():
            return f"there is no folder {data_dir}"
        places = ", ".join(f"{place}/" for place in self.places if place)
        return (
            f"{data_dir} lacks {', '.join(self.missing(data_dir))} "
            f"({self.variants}; looked in it and in its {places})"
        )
