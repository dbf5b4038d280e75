"""Omniglot: 1,623 characters of 50 alphabets, each by 20 people (Lake et al. 2015), in two zips.

They may be unpacked, and located as by torchvision or a clone of the authors' repository.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.sources.characters import Drawings, one_shot_split
from datamodules.sources.decoding import decode
from datamodules.sources.downloads import arrive_together, retrieve
from datamodules.sources.images import LabelledImages, Split
from datamodules.sources.layout import Layout
from datamodules.sources.trees import Tree, opened

FOLDER = "omniglot"
MIRROR = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
MD5 = {
    "images_background.zip": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation.zip": "6b91aef0f799c5bb55b94e3f2daec811",
}
LAYOUT = Layout(
    places=(FOLDER, "omniglot-py", "omniglot/python", ""),
    spellings={name: (name, f"{name.removesuffix('.zip')}/") for name in MD5},
    variants="or folders of these names, unpacked",
)
PUBLISHED_SIZE = {"images_background.zip": 19_280, "images_evaluation.zip": 13_180}
SIZE, PUBLISHED_SIDE = 28, 105
#: Black on white, in one bit or in a format with more.
MODES = ("1", "L", "RGB")
FILE = re.compile(r"(?:.*/)?([^/]+/[^/]+)/[0-9]+_([0-9]{1,2})\.png", re.IGNORECASE)


class Drawing(NamedTuple):
    """One file: `<zip's name>/<alphabet>/<character>/<id>_<drawer>.png`."""

    name: str
    """`<alphabet>/<character>`."""
    drawer: int
    image: NDArray[np.uint8]


def missing_files(data_dir: Path) -> list[str]:
    """List the zips missing from the data folder, packed or unpacked."""
    return LAYOUT.missing(data_dir)


def download(data_dir: Path) -> None:
    """Complete `<data_dir>/omniglot`; files appear once all have arrived and passed their checks.

    Raises:
        OSError: the server does not answer, or the folder cannot be written.
        ValueError: what was downloaded does not match its checksum.
    """
    arrive_together(data_dir / FOLDER, missing_files(data_dir), _retrieve)


def read(data_dir: Path, split: Split) -> LabelledImages:
    """Read one split of both zips together; see `one_shot_split`.

    Raises:
        UnreadableData: a zip or folder is damaged, or not of Omniglot's published size; the message
            names it.
    """
    return one_shot_split(_drawings(data_dir.absolute()), split, "omniglot")


@cache
def _drawings(data_dir: Path) -> Drawings:
    """Read all drawings, ordered by alphabet, character and drawer; kept in memory (25 MB)."""
    files = [drawing for name in MD5 for drawing in _read(data_dir, name)]
    files.sort(key=lambda drawing: (drawing.name, drawing.drawer))
    names = tuple(dict.fromkeys(drawing.name for drawing in files))
    number = {name: i for i, name in enumerate(names)}
    return Drawings(
        images=np.stack([drawing.image for drawing in files]),
        characters=np.array([number[drawing.name] for drawing in files]),
        drawers=np.array([drawing.drawer for drawing in files]),
        names=names,
    )


def _read(data_dir: Path, name: str) -> list[Drawing]:
    path = LAYOUT.path(data_dir, name)
    with opened(path, "is not a complete set of drawings") as tree:
        return read_drawings(tree, PUBLISHED_SIZE[name])


def read_drawings(tree: Tree, count: int) -> list[Drawing]:
    """Read all drawings of a zip or a folder.

    Args:
        tree: the zip's or folder's files.
        count: the expected number of drawings.

    Raises:
        ValueError: their number differs, or one of them is damaged.
    """
    matches = {path: FILE.fullmatch(path) for path in tree.files(".png")}
    if (found := len({match.groups() for match in matches.values() if match})) != count:
        raise ValueError(f"it holds {found:,} drawings, expected {count:,}")
    return [
        Drawing(match[1], int(match[2]), _page(tree, path))
        for path, match in matches.items()
        if match
    ]


def _page(tree: Tree, path: str) -> NDArray[np.uint8]:
    """Reduce a 105 x 105 drawing, black on white, by averaging over boxes."""
    try:
        page = decode(tree.read(path), "PNG", (PUBLISHED_SIDE, PUBLISHED_SIDE), MODES)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    return 255 - np.asarray(page.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX))


def _retrieve(name: str, folder: Path) -> None:
    retrieve(f"{MIRROR}{name}", MD5[name], folder)
