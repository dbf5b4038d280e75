"""Pictures inside the page: small copies, as many as its size allows."""

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from lightning_modules.pictures.style import pixels
from lightning_modules.records.problems import Problem

#: Longest side in pixels; letters in the runs' pictures can still be read.
MOST_PIXELS = 1100
#: Quality, and Pillow's effort from 0 to 6: more effort saves little, and takes ten times as long.
QUALITY, EFFORT = 70, 1


class Budget:
    """Characters left for large content; the first content that is too large uses up all.

    Args:
        characters: how many there are at first.
    """

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.refused = 0

    def take(self, make: Callable[[], str]) -> str | None:
        """Make the content if there may be room for it; otherwise count it as refused: None."""
        content = make() if self.left > 0 else None
        if content is None or len(content) > self.left:
            self.left = 0
            self.refused += 1
            return None
        self.left -= len(content)
        return content


def left_out_of(budget: Budget) -> str:
    """Say in a sentence how many were refused, if any were."""
    return f" {budget.refused} more are left out, to keep the page small." * (budget.refused > 0)


class Embedded:
    """Pictures of runs as data URIs.

    Args:
        characters: how many all of them may take together.
    """

    def __init__(self, characters: int) -> None:
        self.budget = Budget(characters)
        self.problems: list[Problem] = []

    def uri(self, path: Path) -> str | None:
        """Return a small copy; None if the file is no picture, or there is no room for it."""
        try:
            state = path.stat()
            return self.budget.take(lambda: _small_copy(path, state.st_mtime_ns, state.st_size))
        except Exception:  # Pillow raises many kinds on bytes that are no picture
            self.problems.append(Problem(path, "is damaged: it is not a picture, or incomplete"))
            return None


@lru_cache(maxsize=2000)
def _small_copy(path: Path, modified: int, size: int) -> str:
    """Return a copy of a file as it was; made once, while a live page is built many times.

    A film is small already.
    """
    with Image.open(path) as picture:
        if getattr(picture, "is_animated", False):
            return _encoded(path.read_bytes())
        copy = picture.convert("RGB")
    copy.thumbnail((MOST_PIXELS, 4 * MOST_PIXELS), Image.Resampling.BOX)
    return _uri(copy)


def film_strip(frames: Tensor) -> str:
    """Lay frames [T, C, H, W] side by side in one picture."""
    side_by_side = np.concatenate(list(pixels(frames)), axis=1)
    return _uri(Image.fromarray((255 * side_by_side).round().astype(np.uint8)))


def _uri(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return _encoded(buffer.getvalue())


def _encoded(webp: bytes) -> str:
    return f"data:image/webp;base64,{b64encode(webp).decode()}"
