"""Chooses the source of images: the real one where it can be had, else the embedded one."""

from pathlib import Path
from typing import Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from datamodules.loading.checks import require_one_of
from datamodules.sources.families import DIGITS, Family
from datamodules.sources.images import LabelledImages, Split

#: Sources of all families; each benchmark takes those of one.
Source = Literal["auto", "mnist", "mnist5k", "omniglot", "glyphs", "celeba", "faces"]


def fetch_images(source: str, data_dir: str | Path, family: Family = DIGITS) -> None:
    """Download what the source lacks on disk; under `auto`, a failure is not an error.

    Raises:
        ValueError: the real source was demanded, is not on disk and cannot be downloaded.
    """
    data_dir = Path(data_dir)
    if source == family.embedded_name or not family.real.missing_files(data_dir):
        return
    try:
        family.real.download(data_dir)
    except (OSError, ValueError) as error:
        if source == family.real_name:
            raise ValueError(_unavailable(data_dir, family)) from error


def resolve_source(source: str, data_dir: str | Path, family: Family = DIGITS) -> str:
    """Decide from what is on disk; under `auto`, say in one line which source was chosen.

    Raises:
        ValueError: the source is not of the family, or the real one was demanded and is not on
            disk.
    """
    require_one_of(family.choices, source=source)
    missing = family.real.missing_files(Path(data_dir))
    if source == family.real_name and missing:
        raise ValueError(_unavailable(Path(data_dir), family))
    if source != "auto":
        return source
    chosen = family.embedded_name if missing else family.real_name
    rank_zero_info(f"source auto: {_reason(chosen, Path(data_dir), family)}")
    return chosen


def load_images(
    source: str, data_dir: str | Path, split: Split, family: Family = DIGITS
) -> LabelledImages:
    """Read one split from what is on disk (`fetch_images` is what downloads).

    Args:
        source: name of the source; `auto` takes the family's real one if it is on disk, else the
            embedded one.
        data_dir: folder that has or lacks the real source's folder.
        split: no image of one split occurs in another.
        family: the sources to choose from.

    Raises:
        ValueError: the source is not of the family or not on disk, or a file of it is damaged.
    """
    if resolve_source(source, data_dir, family) == family.real_name:
        return family.real.read(Path(data_dir), split)
    return family.embedded.read(split)


def _reason(chosen: str, data_dir: Path, family: Family) -> str:
    folder = data_dir / family.real.FOLDER
    if chosen == family.real_name:
        return f"using {chosen}, {family.real_contents} in {folder}"
    return (
        f"using {chosen}, {family.embedded_contents}: "
        f"{family.real_title} is not in {folder} nor downloaded"
    )


def _unavailable(data_dir: Path, family: Family) -> str:
    missing = ", ".join(family.real.missing_files(data_dir))
    return (
        f"source must be auto or {family.embedded_name} where {family.real_title} can be neither "
        f"found nor downloaded ({data_dir / family.real.FOLDER} lacks {missing}), "
        f"got {family.real_name}"
    )
