"""Pictures embedded in the page: small copies, within a size budget."""

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

#: Largest width in pixels; text in the runs' pictures stays legible.
MOST_PIXELS = 1100
#: WebP quality, and Pillow's effort (0 to 6): more saves little and takes ten times as long.
QUALITY, EFFORT = 70, 1


class Budget:
    """Remaining characters for large content; the first content that does not fit exhausts it.

    Args:
        characters: initial number.
    """

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.refused = 0

    def take(self, make: Callable[[], str]) -> str | None:
        """Return the content if it fits; otherwise None, counted as refused."""
        content = make() if self.left > 0 else None
        if content is None or len(content) > self.left:
            self.left = 0
            self.refused += 1
            return None
        self.left -= len(content)
        return content


def left_out_of(budget: Budget) -> str:
    """Return a sentence on how many were refused; empty if none were."""
    return f" {budget.refused} more are left out, to keep the page small." * (budget.refused > 0)


class Embedded:
    """Pictures of runs as data URIs.

    Args:
        characters: limit on their total size.
    """

    def __init__(self, characters: int) -> None:
        self.budget = Budget(characters)
        self.problems: list[Problem] = []

    def uri(self, path: Path) -> str | None:
        """Return a small copy; None if the file is not a picture or does not fit."""
        try:
            state = path.stat()
            return self.budget.take(lambda: _small_copy(path, state.st_mtime_ns, state.st_size))
        except Exception:  # Pillow raises many types on other content
            self.problems.append(Problem(path, "is damaged: it is not a picture, or incomplete"))
            return None


@lru_cache(maxsize=2000)
def _small_copy(path: Path, modified: int, size: int) -> str:
    """Return a small copy, cached for live pages; time and size of the file are cache keys.

    Films are small already and are copied unchanged.
    """
    with Image.open(path) as picture:
        if getattr(picture, "is_animated", False):
            return _encoded(path.read_bytes())
        copy = picture.convert("RGB")
    copy.thumbnail((MOST_PIXELS, 4 * MOST_PIXELS), Image.Resampling.BOX)
    return _uri(copy)


def film_strip(frames: Tensor) -> str:
    """Return frames [T, C, H, W] side by side as one picture."""
    side_by_side = np.concatenate(list(pixels(frames)), axis=1)
    return _uri(Image.fromarray((255 * side_by_side).round().astype(np.uint8)))


def _uri(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return _encoded(buffer.getvalue())


def _encoded(webp: bytes) -> str:
    return f"data:image/webp;base64,{b64encode(webp).decode()}"
