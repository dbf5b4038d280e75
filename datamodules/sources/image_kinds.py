"""Kinds of images: interchangeable sources for a benchmark."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from datamodules.sources import celeba, faces, glyphs, mnist, mnist5k, omniglot
from datamodules.sources.images import LabelledImages, Split
from datamodules.sources.layout import Layout


class RealSource(Protocol):
    """A module that reads files from the data folder."""

    LAYOUT: Layout

    def missing_files(self, data_dir: Path) -> list[str]:
        """List the files missing from the data folder."""
        ...

    def download(self, data_dir: Path) -> None:
        """Download missing files, or raise OSError or ValueError and leave nothing behind."""
        ...

    def read(self, data_dir: Path, split: Split) -> LabelledImages:
        """Read one split."""
        ...


class EmbeddedSource(Protocol):
    """A module that needs only files of installed packages."""

    def read(self, split: Split) -> LabelledImages:
        """Read one split."""
        ...


class ImageKind(NamedTuple):
    """A real source and the embedded one that replaces it."""

    real: RealSource
    real_name: str
    real_title: str
    real_contents: str
    embedded: EmbeddedSource
    embedded_name: str
    embedded_contents: str

    @property
    def choices(self) -> tuple[str, ...]:
        """Values of the setting `source`."""
        return "auto", self.real_name, self.embedded_name


@dataclass(frozen=True)
class LargeFaces:
    """The embedded faces, in another size."""

    size: int

    def read(self, split: Split) -> LabelledImages:
        """Draw one split."""
        return faces.read(split, self.size)


@dataclass(frozen=True)
class LargePhotographs:
    """CelebA, in another size."""

    size: int
    LAYOUT = celeba.LAYOUT
    missing_files = staticmethod(celeba.missing_files)
    download = staticmethod(celeba.download)

    def read(self, data_dir: Path, split: Split) -> LabelledImages:
        """Read one split."""
        return celeba.read(data_dir, split, self.size)


DIGITS = ImageKind(
    real=mnist,
    real_name="mnist",
    real_title="MNIST",
    real_contents="the 70,000 digits",
    embedded=mnist5k,
    embedded_name="mnist5k",
    embedded_contents="the 5,000 embedded digits",
)
CHARACTERS = ImageKind(
    real=omniglot,
    real_name="omniglot",
    real_title="Omniglot",
    real_contents="the 1,623 characters",
    embedded=glyphs,
    embedded_name="glyphs",
    embedded_contents="the letters of 15 scripts drawn by simulated hands",
)
FACES = ImageKind(
    real=celeba,
    real_name="celeba",
    real_title="CelebA",
    real_contents="the photographs of faces",
    embedded=faces,
    embedded_name="faces",
    embedded_contents="5,000 procedural faces",
)
LARGE_FACES = FACES._replace(real=LargePhotographs(64), embedded=LargeFaces(64))
