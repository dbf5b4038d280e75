"""Chooses the source of images: the real one where it can be had, else the embedded one."""

from pathlib import Path
from typing import Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from datamodules.loading.checks import require_one_of
from datamodules.sources.image_kinds import DIGITS, ImageKind
from datamodules.sources.images import SPLITS, LabelledImages, Split

#: Sources of all kinds of images; each benchmark takes those of one.
Source = Literal["auto", "mnist", "mnist5k", "omniglot", "glyphs", "celeba", "faces"]


def fetch_images(source: str, data_dir: str | Path, kind: ImageKind = DIGITS) -> None:
    """Download what the source lacks on disk; under `auto`, a failure is not an error.

    Raises:
        ValueError: the real source was demanded, is not on disk and cannot be downloaded.
    """
    data_dir = Path(data_dir)
    if source == kind.embedded_name or not kind.real.missing_files(data_dir):
        return
    try:
        kind.real.download(data_dir)
    except (OSError, ValueError) as error:
        if source == kind.real_name:
            raise ValueError(_unavailable(data_dir, kind)) from error


def require_readable(source: str, data_dir: str | Path, kind: ImageKind = DIGITS) -> None:
    """Read the real source once, where it is on disk and may be chosen.

    In one process and before a run begins: damage is found early, and what a source decodes only
    once is decoded by one process.

    Raises:
        UnreadableData: a file is damaged.
    """
    if source != kind.embedded_name and not kind.real.missing_files(Path(data_dir)):
        for split in SPLITS:
            kind.real.read(Path(data_dir), split)


def resolve_source(source: str, data_dir: str | Path, kind: ImageKind = DIGITS) -> str:
    """Decide from what is on disk; under `auto`, say in one line which source was chosen.

    Raises:
        ValueError: the source is not of this kind, or the real one was demanded and is not on
            disk.
    """
    require_one_of(kind.choices, source=source)
    missing = kind.real.missing_files(Path(data_dir))
    if source == kind.real_name and missing:
        raise ValueError(_unavailable(Path(data_dir), kind))
    if source != "auto":
        return source
    chosen = kind.embedded_name if missing else kind.real_name
    rank_zero_info(f"source auto: {_reason(chosen, Path(data_dir), kind)}")
    return chosen


def load_images(
    source: str, data_dir: str | Path, split: Split, kind: ImageKind = DIGITS
) -> LabelledImages:
    """Read one split from what is on disk (`fetch_images` is what downloads).

    Args:
        source: name of the source; `auto` takes the real one of its kind if it is on disk, else the
            embedded one.
        data_dir: folder that has or lacks the real source's files.
        split: no image of one split occurs in another.
        kind: the sources to choose from.

    Raises:
        ValueError: the source is not of this kind or not on disk.
        UnreadableData: a file of it is damaged.
    """
    if resolve_source(source, data_dir, kind) == kind.real_name:
        return kind.real.read(Path(data_dir), split)
    return kind.embedded.read(split)


def _reason(chosen: str, data_dir: Path, kind: ImageKind) -> str:
    layout = kind.real.LAYOUT
    if chosen == kind.real_name:
        return f"using {chosen}, {kind.real_contents} in {layout.folder(data_dir)}"
    return (
        f"using {chosen}, {kind.embedded_contents}: "
        f"{kind.real_title} was not downloaded, and {layout.lack(data_dir)}"
    )


def _unavailable(data_dir: Path, kind: ImageKind) -> str:
    missing = ", ".join(kind.real.missing_files(data_dir))
    return (
        f"source must be auto or {kind.embedded_name} where {kind.real_title} can be neither "
        f"found nor downloaded ({kind.real.LAYOUT.folder(data_dir)} lacks {missing}), "
        f"got {kind.real_name}"
    )
