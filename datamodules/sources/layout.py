"""Where a data set's files may lie: people have them from several hands, named and unpacked."""

from collections.abc import Mapping
from os.path import isdir, isfile
from pathlib import Path
from typing import NamedTuple


class Layout(NamedTuple):
    """The files that a data set consists of, and every place and name that they may have."""

    places: tuple[str, ...]
    """Folders below the data folder, in the order in which they are searched; "" is itself."""
    spellings: Mapping[str, tuple[str, ...]]
    """By a file's published name: paths that it may have below a place; a folder's ends with "/".
    The first that exists is read."""
    variants: str
    """A description of the spellings, for a message."""

    def find(self, data_dir: Path, name: str) -> Path | None:
        """Return the first existing path of a file or an unpacked folder; None without one."""
        for place in self.places:
            for spelling in self.spellings[name]:
                path = data_dir / place / spelling
                # Some unpack a file into a folder of its own name.
                if isdir(path) if spelling.endswith("/") else isfile(path):
                    return path
        return None

    def path(self, data_dir: Path, name: str) -> Path:
        """Return the path of a file, where a download would put it if it is nowhere."""
        return self.find(data_dir, name) or data_dir / self.places[0] / name

    def missing(self, data_dir: Path) -> list[str]:
        """List the files that are nowhere, by their published names."""
        return [name for name in self.spellings if self.find(data_dir, name) is None]

    def folder(self, data_dir: Path) -> Path:
        """Return the folder of the first file that is there."""
        paths = (self.find(data_dir, name) for name in self.spellings)
        return next((path.parent for path in paths if path), data_dir / self.places[0])

    def lack(self, data_dir: Path) -> str:
        """Say what was looked for and is not there, and where, as the rest of a sentence."""
        if not data_dir.is_dir():
            return f"there is no folder {data_dir}"
        places = ", ".join(f"{place}/" for place in self.places if place)
        return (
            f"{data_dir} lacks {', '.join(self.missing(data_dir))} "
            f"({self.variants}; looked in it and in its {places})"
        )
