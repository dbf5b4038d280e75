"""Pictures inside the page: small copies, as many as its size allows."""

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lightning_modules.pictures.style import pixels
from lightning_modules.records.problems import Problem

#: Longest side; letters of the runs' pictures can still be read.
MOST_PIXELS = 1100
#: The second is Pillow's effort, from 0 to 6: what more of it saves takes ten times as long.
QUALITY, EFFORT = 70, 1


class Budget:
    """Characters that are left for what is large; what is too large for them ends it.

    Args:
        characters: to begin with.
    """

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.refused = 0

    def take(self, make: Callable[[], str]) -> str | None:
        """Make it if there may be room for it; None, and counted as refused, if there is not."""
        content = make() if self.left > 0 else None
        if content is None or len(content) > self.left:
            self.left = 0
            self.refused += 1
            return None
        self.left -= len(content)
        return content


def left_out_of(budget: Budget) -> str:
    """A sentence that says how many were refused, if any were."""
    return f" {budget.refused} more are left out, to keep the page small." * (budget.refused > 0)


class Embedded:
    """Pictures of runs as data URIs.

    Args:
        characters: that all of them may have together.
    """

    def __init__(self, characters: int) -> None:
        self.budget = Budget(characters)
        self.problems: list[Problem] = []

    def uri(self, path: Path) -> str | None:
        """A small copy; None if it is no picture, or if there is no room for it."""
        try:
            state = path.stat()
            return self.budget.take(lambda: _small_copy(path, state.st_mtime_ns, state.st_size))
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
            self.problems.append(Problem(path, "is damaged: no picture, or half of one"))
            return None


@lru_cache(maxsize=2000)
def _small_copy(path: Path, modified: int, size: int) -> str:
    """Of the file as it was then; copied once while a live page is built again and again."""
    with Image.open(path) as picture:
        copy = picture.convert("RGB")
    copy.thumbnail((MOST_PIXELS, 4 * MOST_PIXELS), Image.Resampling.BOX)
    return _uri(copy)


def film_strip(frames: Tensor) -> str:
    """Frames [T, C, H, W] beside each other."""
    side_by_side = np.concatenate(list(pixels(frames)), axis=1)
    return _uri(Image.fromarray((255 * side_by_side).round().astype(np.uint8)))


def _uri(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
