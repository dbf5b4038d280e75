"""Reads pictures by path from a folder or a zip."""

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from datamodules.sources.unreadable import blame

#: Limit above any picture of a data set, to stop zip bombs.
MOST_BYTES = 1 << 20
#: Common compression methods; zipfile unpacks others without a size limit, or not at all.
PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Tree(ABC):
    """Files by path, without those that operating systems add."""

    def files(self, ending: str) -> list[str]:
        """List the paths of files with an ending, in either case; the separator is "/".

        Hidden files such as `.DS_Store` and `__MACOSX/.../._01.png` are excluded.
        """
        return [
            path
            for path in self._paths()
            if path.lower().endswith(ending)
            and not any(part.startswith((".", "__MACOSX")) for part in path.split("/"))
        ]

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Read one file.

        Raises:
            ValueError: it is too large or damaged; the message continues the file's name.
        """

    @abstractmethod
    def _paths(self) -> list[str]: ...


class Folder(Tree):
    """An unpacked folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> bytes:
        """Read one file."""
        with open(self.folder / path, "rb") as file:
            return _small(file.read(MOST_BYTES + 1))

    def _paths(self) -> list[str]:
        def refuse(error: OSError) -> None:
            raise error

        return [
            Path(folder, name).relative_to(self.folder).as_posix()
            for folder, _, names in os.walk(self.folder, onerror=refuse)
            for name in names
        ]


class Zip(Tree):
    """A zip file, which the caller must close."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self.archive = zipfile.ZipFile(file)
            # Some programs write Windows separators.
            self.members = {
                member.filename.replace("\\", "/"): member
                for member in self.archive.infolist()
                if not member.is_dir()
            }
        except Exception as error:  # zipfile raises many kinds of errors for damaged files
            raise ValueError(str(error) or "File is not a zip file") from error

    def read(self, path: str) -> bytes:
        """Unzip one file, and verify its checksum."""
        member = self.members[path]
        if member.compress_type not in PLAIN_METHODS:
            raise ValueError("is not deflated, but compressed in another way")
        try:
            with self.archive.open(member) as file:
                content = file.read(MOST_BYTES + 1)
        except Exception as error:  # as above: RuntimeError if it is encrypted, and so on
            raise ValueError(f"cannot be unzipped: {error}") from error
        return _small(content)

    def _paths(self) -> list[str]:
        return list(self.members)


@contextmanager
def opened(path: Path, complaint: str) -> Iterator[Tree]:
    """Open a folder or a zip; errors inside are attributed to it, see `blame`."""
    with blame(path, complaint):
        if path.is_dir():
            yield Folder(path)
        else:
            with open(path, "rb") as file:
                yield Zip(file)


def _small(content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES:,} bytes")
    return content
