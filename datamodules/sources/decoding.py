"""Decodes a data set's pictures, and rejects any others."""

import io
from collections.abc import Collection
from typing import Literal

from PIL import Image


def decode(
    content: bytes, kind: Literal["PNG", "JPEG"], size: tuple[int, int], modes: Collection[str]
) -> Image.Image:
    """Decode a picture; another size or mode is rejected before decompression.

    Args:
        content: content of the file.
        kind: its format; no other decoder of Pillow's is tried.
        size: width and height in pixels.
        modes: Pillow's names of the accepted pixel formats.

    Raises:
        ValueError: the picture is damaged or of another kind.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=(kind,))
    except Exception as error:  # Pillow's decoders raise many kinds of errors
        raise ValueError(f"is not a {kind}") from error
    if picture.size != size:
        raise ValueError(f"has {picture.size} pixels, expected {size}")
    if picture.mode not in modes:
        raise ValueError(f"has pixels of mode {picture.mode}, expected {' or '.join(modes)}")
    try:
        picture.load()
    except Exception as error:  # as above
        raise ValueError("is damaged") from error
    return picture
