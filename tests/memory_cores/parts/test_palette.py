"""Twenty distinguishable colours and markers."""

from itertools import combinations

import numpy as np

from memory_cores.parts.palette import PALETTE

#: From linear sRGB to CIE XYZ, by the white of D65 (IEC 61966-2-1).
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.089]])


def lab(colour: str) -> np.ndarray:
    """L*, a*, b* of "#RRGGBB"."""
    signal = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    light = TO_XYZ @ linear
    x, y, z = np.where(light > (6 / 29) ** 3, np.cbrt(light), light * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_lab_is_that_of_known_colours() -> None:
    for colour, expected in {
        "#FFFFFF": (100, 0, 0),
        "#000000": (0, 0, 0),
        "#FF0000": (53.24, 80.09, 67.2),
        "#0000FF": (32.3, 79.19, -107.86),
    }.items():
        np.testing.assert_allclose(lab(colour), expected, atol=0.1)


def test_twenty_colours_are_far_apart() -> None:
    colours = {look.colour: lab(look.colour) for look in PALETTE}
    assert len(colours) == len(PALETTE) == 20
    for one, other in combinations(colours, 2):
        assert np.linalg.norm(colours[one] - colours[other]) >= 15, (one, other)


def test_colours_show_on_light_and_on_dark_pages() -> None:
    """Black is drawn white on dark pages, whose lightness is below 10."""
    for look in PALETTE:
        lightness = lab(look.colour)[0]
        assert 35 <= lightness <= 80 or look.colour == "#000000", look.colour


def test_markers_repeat_only_after_all_others() -> None:
    markers = [look.marker for look in PALETTE]
    several = len(set(markers))
    assert several >= 10
    for first in range(len(markers) - several + 1):
        assert len(set(markers[first : first + several])) == several
