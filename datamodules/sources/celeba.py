"""CelebA: 202,599 photographs of celebrities' faces (Liu et al. 2015), from the user's own files.

The data folder holds `img_align_celeba.zip`, or its unpacked folder, and `list_eval_partition.txt`,
as provided by the authors, torchvision or Kaggle; nothing is downloaded. A split is decoded once,
into a file beside them.
"""

from pathlib import Path, PurePosixPath

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from numpy.typing import NDArray
from PIL import Image

from datamodules.loading.durable_file import replacing
from datamodules.sources.decoding import decode
from datamodules.sources.images import LabelledImages, Split
from datamodules.sources.layout import Layout
from datamodules.sources.partition import read_partition
from datamodules.sources.trees import Tree, opened

FOLDER = "celeba"
ARCHIVE, PARTITION = "img_align_celeba.zip", "list_eval_partition.txt"
LAYOUT = Layout(
    places=(FOLDER, "CelebA", ""),
    spellings={
        ARCHIVE: (ARCHIVE, "img_align_celeba/", f"Img/{ARCHIVE}", "Img/img_align_celeba/"),
        PARTITION: (PARTITION, "list_eval_partition.csv", f"Eval/{PARTITION}"),
    },
    variants="or the folder img_align_celeba and list_eval_partition.csv",
)
#: Width and height of an aligned photograph.
ALIGNED = (178, 218)
#: Side of the central square that is cropped, and of the image that it is reduced to.
CROP = 148
SIZE = 32
#: Grey photographs are converted to colour.
MODES = ("RGB", "L")


def missing_files(data_dir: Path) -> list[str]:
    """List the files missing from the data folder, by their published names."""
    return LAYOUT.missing(data_dir)


def download(data_dir: Path) -> None:
    """Raise an error: CelebA is only available from its authors."""
    raise ValueError("CelebA cannot be downloaded automatically; download its files by hand")


def read(data_dir: Path, split: Split, size: int = SIZE) -> LabelledImages:
    """Read one split of the published partition; all images are of class 0.

    Args:
        data_dir: the data folder.
        split: which photographs.
        size: rows, and columns, of an image.

    Returns:
        The middle 148 x 148 pixels of every photograph, reduced to that size, in colour.

    Raises:
        UnreadableData: a file is damaged or they do not belong together; the message names it.
    """
    photographs, partition = (LAYOUT.path(data_dir, name) for name in (ARCHIVE, PARTITION))
    names = read_partition(partition, split)
    decoded = photographs.parent / f"{split}_{size}.npy"
    shape = len(names), size, size, 3
    images = kept(decoded, shape, newer_than=(photographs, partition))
    if images is None:
        with opened(photographs, f"does not hold what {partition.name} names") as tree:
            images = read_photographs(tree, names, size)
        _keep(images, decoded)
    return LabelledImages(images, np.zeros(len(images), np.int64), "celeba")


def kept(
    decoded: Path, shape: tuple[int, ...], newer_than: tuple[Path, ...]
) -> NDArray[np.uint8] | None:
    """Memory-map a decoded split; None if it is missing, out of date or damaged."""
    made_from = max((path.stat().st_mtime_ns for path in newer_than), default=0)
    if not decoded.exists() or decoded.stat().st_mtime_ns <= made_from:
        return None
    try:
        # Memory-mapped, so that all processes of a machine share the 500 MB.
        images = np.lib.format.open_memmap(decoded, mode="r")
    except Exception:  # numpy raises many kinds of errors for damaged files
        return None
    return images if images.dtype == np.uint8 and images.shape == shape else None


def _keep(images: NDArray[np.uint8], path: Path) -> None:
    """Write a split's decoded photographs, if possible."""
    try:
        with replacing(path) as file:
            np.save(file, images)
    except OSError as error:  # a read-only folder or a full disk
        rank_zero_info(
            f"source celeba: photographs are decoded again in every run, since {path} cannot be "
            f"written ({error.strerror})"
        )


def read_photographs(tree: Tree, names: list[str], size: int = SIZE) -> NDArray[np.uint8]:
    """Decode photographs in the order of their names, [N, size, size, 3].

    Raises:
        ValueError: one of them is missing, damaged or not an aligned photograph.
    """
    paths: dict[str, str] = {}
    for path in tree.files(".jpg"):
        name = PurePosixPath(path).name
        if paths.setdefault(name, path) != path:
            raise ValueError(f"it has {name} twice, as {paths[name]} and {path}")
    return np.stack([_photograph(tree, name, paths.get(name), size) for name in names])


def _photograph(tree: Tree, name: str, path: str | None, size: int) -> NDArray[np.uint8]:
    """Decode the middle of a photograph, [size, size, 3]."""
    if path is None:
        raise ValueError(f"{name} is missing")
    try:
        photograph = decode(tree.read(path), "JPEG", ALIGNED, MODES).convert("RGB")
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    left, top = ((length - CROP) // 2 for length in ALIGNED)
    middle = photograph.crop((left, top, left + CROP, top + CROP))
    # Pillow's bilinear filter scales with the reduction, so it does not alias.
    return np.asarray(middle.resize((size, size), Image.Resampling.BILINEAR))
