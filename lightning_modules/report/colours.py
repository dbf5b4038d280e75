"""Colours on light and dark pages: cores keep their colour, greys are inverted."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from lightning_modules.pictures.memory_film import shades

#: Opacity of a band around a line.
BAND = 0.18
STOPS = 9
DARK_PAGE = "#16181C"


def on_dark(colour: str) -> str:
    """Return a colour for the dark page: greys are inverted."""
    red, green, blue = to_rgb(colour)
    return to_hex((1 - red, 1 - green, 1 - blue)).upper() if red == green == blue else colour


def translucent(colour: str, opacity: float = BAND) -> str:
    """Return a translucent colour as a CSS value."""
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return f"rgba({red},{green},{blue},{opacity})"


@cache
def weight_scale(colour: str, dark: bool) -> list[list[Any]]:
    """Return a colour scale for weights from 0 to 1; square roots make diffuse ones visible."""
    light = [to_hex(shade) for shade in shades(colour)([i / (STOPS - 1) for i in range(STOPS)])]
    stops = _brightening(on_dark(colour)) if dark else light
    # Stops at squares make the colour linear in the weight's square root.
    return [[(i / (STOPS - 1)) ** 2, shade] for i, shade in enumerate(stops)]


def _brightening(colour: str) -> list[str]:
    """Return colours from the dark page's background through ``colour`` to almost white."""
    ends = [to_rgb(DARK_PAGE), to_rgb(colour), (1.0, 1.0, 1.0)]
    return [_between(ends, 1.85 * i / (STOPS - 1)) for i in range(STOPS)]


def _between(ends: Sequence[tuple[float, float, float]], place: float) -> str:
    below = int(place)
    share = place - below
    pairs = zip(ends[below], ends[below + 1], strict=True)
    red, green, blue = ((1 - share) * first + share * second for first, second in pairs)
    return to_hex((red, green, blue))
