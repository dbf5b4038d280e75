"""Which source delivers the images: the real one where it can be had, else the embedded one."""

from pathlib import Path
from typing import Literal, get_args

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from datamodules.settings import require_one_of
from datamodules.sources import mnist, mnist5k
from datamodules.sources.images import LabelledImages, Split

Source = Literal["auto", "mnist", "mnist5k"]
ConcreteSource = Literal["mnist", "mnist5k"]


def fetch_images(source: Source, data_dir: str | Path) -> None:
    """Download what the source lacks on disk; under `auto`, a failure is not an error.

    Raises:
        ValueError: MNIST was demanded and is neither on disk nor to be had from the network.
    """
    data_dir = Path(data_dir)
    if source == "mnist5k" or not mnist.missing_files(data_dir):
        return
    try:
        mnist.download(data_dir)
    except (OSError, ValueError) as error:
        if source == "mnist":
            raise ValueError(_unavailable(data_dir)) from error


def resolve_source(source: Source, data_dir: str | Path) -> ConcreteSource:
    """Decide from what is on disk; under `auto`, say in one line which source was chosen.

    Raises:
        ValueError: the source is unknown, or MNIST was demanded and is not on disk.
    """
    require_one_of("source", source, get_args(Source))
    missing = mnist.missing_files(Path(data_dir))
    if source == "mnist" and missing:
        raise ValueError(_unavailable(Path(data_dir)))
    if source != "auto":
        return source
    chosen: ConcreteSource = "mnist5k" if missing else "mnist"
    rank_zero_info(f"source auto: {_reason(chosen, Path(data_dir))}")
    return chosen


def load_images(source: Source, data_dir: str | Path, split: Split) -> LabelledImages:
    """Read one split from what is on disk (`fetch_images` is what downloads).

    Args:
        source: name of the source; `auto` takes MNIST if it is on disk, else the embedded digits.
        data_dir: folder that has or lacks a folder `mnist` with the four IDX files.
        split: no image of one split occurs in another.

    Raises:
        ValueError: the source is unknown or not on disk, or one of its files is damaged.
    """
    if resolve_source(source, data_dir) == "mnist":
        return mnist.read(Path(data_dir), split)
    return mnist5k.read(split)


def _reason(chosen: ConcreteSource, data_dir: Path) -> str:
    folder = data_dir / mnist.FOLDER
    if chosen == "mnist":
        return f"using mnist, the 70,000 digits in {folder}"
    return f"using mnist5k, the 5,000 embedded digits: MNIST is not in {folder} nor downloaded"


def _unavailable(data_dir: Path) -> str:
    missing = ", ".join(mnist.missing_files(data_dir))
    return (
        "source must be auto or mnist5k where MNIST can be neither found nor downloaded "
        f"({data_dir / mnist.FOLDER} lacks {missing}), got mnist"
    )
