"""Omniglot: 1,623 characters of 50 alphabets, each by 20 people (Lake et al. 2015), in two zips."""

import io
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.sources.characters import Drawings, one_shot_split
from datamodules.sources.downloads import arrive_together, retrieve
from datamodules.sources.images import LabelledImages, Split

FOLDER = "omniglot"
MIRROR = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
MD5 = {
    "images_background.zip": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation.zip": "6b91aef0f799c5bb55b94e3f2daec811",
}
PUBLISHED_SIZE = {"images_background.zip": 19_280, "images_evaluation.zip": 13_180}
SIZE = 28


class Drawing(NamedTuple):
    """One file of a zip: `<zip's name>/<alphabet>/<character>/<id>_<drawer>.png`."""

    name: str
    """`<alphabet>/<character>`."""
    drawer: int
    image: NDArray[np.uint8]


def missing_files(data_dir: Path) -> list[str]:
    """List the zips that `<data_dir>/omniglot` lacks."""
    return [name for name in MD5 if not (data_dir / FOLDER / name).exists()]


def download(data_dir: Path) -> None:
    """Complete `<data_dir>/omniglot`; files appear once all have arrived and were checked.

    Raises:
        OSError: the server does not answer, or the folder cannot be written.
        ValueError: what was downloaded does not match its checksum.
    """
    arrive_together(data_dir / FOLDER, missing_files(data_dir), _retrieve)


def read(data_dir: Path, split: Split) -> LabelledImages:
    """Read one split of both zips together; see `one_shot_split`.

    Raises:
        ValueError: a file is damaged or not of Omniglot's published size; the message names it.
    """
    return one_shot_split(_drawings(data_dir.absolute()), split, "omniglot")


@cache
def _drawings(data_dir: Path) -> Drawings:
    """Read all drawings, ordered by alphabet, character and drawer; kept in memory (25 MB)."""
    files = [drawing for name in MD5 for drawing in _read_zip(data_dir / FOLDER / name)]
    files.sort(key=lambda drawing: (drawing.name, drawing.drawer))
    names = tuple(dict.fromkeys(drawing.name for drawing in files))
    number = {name: i for i, name in enumerate(names)}
    return Drawings(
        images=np.stack([drawing.image for drawing in files]),
        characters=np.array([number[drawing.name] for drawing in files]),
        drawers=np.array([drawing.drawer for drawing in files]),
        names=names,
    )


def _read_zip(path: Path) -> list[Drawing]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".png")]
            drawings = [_parse(name, archive.read(name)) for name in members]
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a complete zip of drawings: {error}") from error
    if len(drawings) != PUBLISHED_SIZE[path.name]:
        expected = PUBLISHED_SIZE[path.name]
        raise ValueError(
            f"{path} is not Omniglot's: it holds {len(drawings)} drawings, expected {expected}"
        )
    return drawings


def _parse(member: str, content: bytes) -> Drawing:
    """Reduce a drawing, black on white, 105 x 105; each pixel here averages over its box there."""
    _, alphabet, character, file = member.split("/")
    drawer = int(Path(file).stem.partition("_")[2])
    page = Image.open(io.BytesIO(content)).convert("L")
    image = 255 - np.asarray(page.resize((SIZE, SIZE), Image.Resampling.BOX))
    return Drawing(f"{alphabet}/{character}", drawer, image)


def _retrieve(name: str, folder: Path) -> None:
    retrieve(f"{MIRROR}{name}", MD5[name], folder)
