"""Letters of 15 scripts in the font that matplotlib ships, drawn by simulated hands.

A stand-in for Omniglot without a download. Each of 20 drawers has a characteristic slant, size,
proportions, pen and steadiness. Every drawing varies these, bends the letter by a smooth random
warp, and inks it where the blurred letter exceeds the pen's threshold.
"""

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fontTools.ttLib import TTFont
from fontTools.unicodedata import script, script_name
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from datamodules.sources.characters import Drawings, one_shot_split
from datamodules.sources.images import LabelledImages, Split

DRAWERS = 20
SEED = 0
SIZE = 28
FONT_SIZE = 96
#: Side of a letter's master, and of drawings before halving.
MASTER, FINE = 84, 2 * SIZE
#: Blur of a master in pixels, about half a pen stroke, so that the threshold moves the outline.
BLUR = 2.5
#: Letters whose masters differ by less, relative to their energy, look alike; the first is kept.
ALIKE = 0.1
LETTERS = ("Lu", "Ll", "Lo")


def read(split: Split) -> LabelledImages:
    """Read one split of all drawings; see `one_shot_split`."""
    return one_shot_split(drawings(DRAWERS), split, "glyphs")


@cache
def drawings(drawers: int) -> Drawings:
    """Draw every letter by every drawer, cached: about 25,000 for 20 drawers, in some seconds."""
    names, masters = distinct_letters()
    images = np.concatenate([draw(masters, drawer) for drawer in range(1, drawers + 1)])
    drawer, character = np.divmod(np.arange(len(images)), len(names))
    return Drawings(images, character, drawer + 1, names)


def distinct_letters() -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the letters that look different from all earlier ones in Unicode order.

    Returns:
        names: `<script>/<Unicode name>`, N of them, sorted.
        masters: blurred letters, [N, 84, 84] in [0, 1].
    """
    path = _font_file()
    font = ImageFont.truetype(path, FONT_SIZE)
    points = sorted(TTFont(path).getBestCmap())
    candidates = [letter for letter in map(chr, points) if _is_simple(letter)]
    masters = np.stack([master(letter, font) for letter in candidates])
    kept = sorted((_name(candidates[i]), i) for i in _different(masters))
    return tuple(name for name, _ in kept), masters[[i for _, i in kept]]


def master(letter: str, font: ImageFont.FreeTypeFont) -> NDArray[np.float32]:
    """Render a letter that fills two thirds of a square, blurred, [84, 84] in [0, 1]."""
    left, top, right, bottom = font.getbbox(letter)
    side = int(max(right - left, bottom - top) * 1.4)
    corner = (side - right - left) / 2, (side - bottom - top) / 2
    square = Image.new("L", (side, side))
    ImageDraw.Draw(square).text(corner, letter, font=font, fill=255)
    small = square.resize((MASTER, MASTER), Image.Resampling.BOX)
    blurred = np.asarray(small.filter(ImageFilter.GaussianBlur(BLUR)), np.float32)
    return blurred / np.float32(255)


def draw(masters: NDArray[np.float32], drawer: int) -> NDArray[np.uint8]:
    """Draw every letter once in a drawer's hand.

    Args:
        masters: [N, 84, 84] in [0, 1].
        drawer: number from 1, on which alone the drawings depend.

    Returns:
        Drawings [N, 28, 28], ink bright.
    """
    rng = np.random.default_rng((SEED, drawer))
    grid = _affine_grid(rng, len(masters)) + _warp(rng, len(masters))
    ink = F.grid_sample(torch.from_numpy(masters)[:, None], grid, align_corners=False)
    # Relative to the letter's own peak, so that thin letters do not vanish.
    peak = torch.from_numpy(masters).amax((1, 2)).view(-1, 1, 1, 1)
    threshold = rng.uniform(0.38, 0.6) + rng.normal(0, 0.03, (len(masters), 1, 1, 1))
    edge = (ink / peak - torch.from_numpy(threshold).float()).mul(6).add(0.5).clamp(0, 1)
    return F.avg_pool2d(edge, 2).mul(255).round().byte().squeeze(1).numpy()


def _affine_grid(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Draw each pixel's position in its master, before the warp, [N, 56, 56, 2] in [-1, 1]."""
    turn = rng.normal(0, 0.06) + rng.normal(0, 0.06, count)
    slant = rng.normal(0, 0.1) + rng.normal(0, 0.06, count)
    stretch = np.exp(rng.normal(0, 0.07) + rng.normal(0, 0.06, count))
    size = np.exp(rng.normal(0, 0.06) + rng.normal(0, 0.06, count))
    shift = rng.normal(0, 0.04, (2, count))
    cos, sin = np.cos(turn), np.sin(turn)
    across = [cos * stretch, cos * slant - sin / stretch, shift[0]]
    down = [sin * stretch, sin * slant + cos / stretch, shift[1]]
    matrices = np.stack([np.stack(across), np.stack(down)]).transpose(2, 0, 1)
    matrices[:, :, :2] /= size[:, None, None]
    return F.affine_grid(
        torch.from_numpy(matrices).float(), [count, 1, FINE, FINE], align_corners=False
    )


def _warp(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Draw smooth random displacements, [N, 56, 56, 2]."""
    steadiness = rng.uniform(0.035, 0.065)
    knots = torch.from_numpy(rng.normal(0, steadiness, (count, 2, 6, 6))).float()
    bent = F.interpolate(knots, (FINE, FINE), mode="bicubic", align_corners=True)
    return bent.permute(0, 2, 3, 1)


def _is_simple(letter: str) -> bool:
    """Return whether a letter is neither composed of others nor a variant of one."""
    category, base = unicodedata.category(letter), unicodedata.normalize("NFKD", letter)
    return category in LETTERS and base == letter and unicodedata.name(letter, "") != ""


def _name(letter: str) -> str:
    alphabet = script_name(script(letter)).replace(" ", "_")
    return f"{alphabet}/{unicodedata.name(letter).replace(' ', '_')}"


def _different(masters: NDArray[np.float32]) -> list[int]:
    """List the indices of the letters that differ from all kept before them."""
    flat = masters.reshape(len(masters), -1)
    energy = (flat**2).sum(1)
    distance = energy[:, None] + energy - 2 * flat @ flat.T
    alike = distance < ALIKE * np.minimum(energy[:, None], energy)
    kept: list[int] = []
    for number in np.flatnonzero(energy).tolist():
        if not alike[number, kept].any():
            kept.append(number)
    return kept


def _font_file() -> Path:
    # Importing matplotlib takes half a second; the font lies beside it.
    package = find_spec("matplotlib")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("source 'glyphs' needs the package matplotlib")
    return Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
