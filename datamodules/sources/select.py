"""Selects the source of images: the real one if available, else the embedded one."""

from pathlib import Path
from typing import Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from datamodules.loading.checks import require_one_of
from datamodules.sources.image_kinds import DIGITS, ImageKind
from datamodules.sources.images import SPLITS, LabelledImages, Split

#: Sources of all kinds of images; a benchmark accepts those of one kind.
Source = Literal["auto", "mnist", "mnist5k", "omniglot", "glyphs", "celeba", "faces"]


def fetch_images(source: str, data_dir: str | Path, kind: ImageKind = DIGITS) -> None:
    """Download the source's missing files; with `auto`, a failure is not an error.

    Raises:
        ValueError: the real source was requested, is not on disk and cannot be downloaded.
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
    """Read the real source once, if it is on disk and may be selected.

    Called in one process before a run begins, so that damage is found early and decoding is done by
    one process.

    Raises:
        UnreadableData: a file is damaged.
    """
    if source != kind.embedded_name and not kind.real.missing_files(Path(data_dir)):
        for split in SPLITS:
            kind.real.read(Path(data_dir), split)


def resolve_source(source: str, data_dir: str | Path, kind: ImageKind = DIGITS) -> str:
    """Select the source by the files on disk; with `auto`, report the choice in one line.

    Raises:
        ValueError: the source is not of this kind, or the real one was requested and is not on
            disk.
    """
    require_one_of(kind.choices, source=source)
    missing = kind.real.missing_files(Path(data_dir))
    if source == kind.real_name and missing:
        raise ValueError(_unavailable(Path(data_dir), kind))
    if source != "auto":
        return source
    selected = kind.embedded_name if missing else kind.real_name
    rank_zero_info(f"source auto: {_reason(selected, Path(data_dir), kind)}")
    return selected


def load_images(
    source: str, data_dir: str | Path, split: Split, kind: ImageKind = DIGITS
) -> LabelledImages:
    """Read one split from the files on disk (`fetch_images` downloads them).

    Args:
        source: name of the source; `auto` takes the real one of its kind if it is on disk, else the
            embedded one.
        data_dir: folder that may have the real source's files.
        split: the split; no image occurs in two splits.
        kind: the sources to select from.

    Raises:
        ValueError: the source is not of this kind or not on disk.
        UnreadableData: a file of it is damaged.
    """
    if resolve_source(source, data_dir, kind) == kind.real_name:
        return kind.real.read(Path(data_dir), split)
    return kind.embedded.read(split)


def _reason(selected: str, data_dir: Path, kind: ImageKind) -> str:
    layout = kind.real.LAYOUT
    if selected == kind.real_name:
        return f"using {selected}, {kind.real_contents} in {layout.folder(data_dir)}"
    return (
        f"using {selected}, {kind.embedded_contents}: "
        f"{kind.real_title} was not downloaded, and {layout.lack(data_dir)}"
    )


def _unavailable(data_dir: Path, kind: ImageKind) -> str:
    missing = ", ".join(kind.real.missing_files(data_dir))
    return (
        f"source must be auto or {kind.embedded_name} where {kind.real_title} can be neither "
        f"found nor downloaded ({kind.real.LAYOUT.folder(data_dir)} lacks {missing}), "
        f"got {kind.real_name}"
    )
