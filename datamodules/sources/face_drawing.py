"""Draws faces: layers of soft-edged shapes, from a few dozen traits each.

Coordinates are in [-1, 1], x to the right and y down; those of a face are relative to its centre
and rotated with the head. Edges are as wide as a pixel of 32 x 32, which is the only antialiasing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 32
PIXEL = 2 / SIZE
Array = NDArray[np.floating[Any]]
#: Values of the traits of N faces by name, [N, 1, 1] each.
Traits = dict[str, Array]

SKIN = (
    (255, 222, 196),
    (241, 199, 165),
    (224, 172, 130),
    (190, 132, 90),
    (141, 88, 58),
    (98, 60, 42),
)
HAIR = (
    (22, 18, 18),
    (52, 34, 24),
    (96, 62, 36),
    (142, 66, 32),
    (196, 150, 84),
    (232, 206, 150),
    (168, 166, 164),
)
IRIS = ((46, 30, 20), (84, 56, 30), (70, 96, 60), (56, 90, 140))
WHITE = np.array((250, 248, 244), np.float32).reshape(3, 1, 1) / 255
DARK = np.array((24, 20, 22), np.float32).reshape(3, 1, 1) / 255
#: Brightness of skin in the shadow.
SHADE = np.float32(0.6)
#: Range of every trait, which is uniform in it.
RANGES: dict[str, tuple[float, float]] = {
    # Positions in the palettes.
    "skin": (0, len(SKIN) - 1),
    "hair": (0, len(HAIR) - 1),
    "iris": (0, len(IRIS) - 1),
    "backdrop_hue": (0, 1),
    "backdrop_light": (0.3, 0.85),
    "backdrop_slope": (-0.25, 0.25),
    "clothes_hue": (0, 1),
    "clothes_light": (0.15, 0.8),
    # Position and pose of the head, and direction of the light.
    "across": (-0.09, 0.09),
    "down": (0.0, 0.1),
    "tilt": (-0.14, 0.14),
    "turn": (-0.1, 0.1),
    "light": (-0.28, 0.28),
    # Shape and features of the face.
    "width": (0.45, 0.54),
    "height": (0.6, 0.69),
    "jaw": (-0.05, 0.28),
    "eye_gap": (0.205, 0.25),
    "eye_level": (-0.1, -0.03),
    "eye_width": (0.105, 0.135),
    "eye_height": (0.06, 0.085),
    "brow_lift": (0.135, 0.17),
    "brow_slope": (-0.3, 0.3),
    "brow_width": (0.022, 0.04),
    "nose_length": (0.13, 0.19),
    "nose_width": (0.075, 0.105),
    "mouth_level": (0.31, 0.38),
    "mouth_width": (0.17, 0.25),
    "smile": (-0.4, 1.5),
    "lip": (0.038, 0.06),
    "lip_red": (0.35, 0.75),
    "open": (-0.05, 0.05),
    # Hair, and thresholds: a beard below 1/4, glasses below 1/6.
    "hairline": (0.34, 0.52),
    "volume": (1.08, 1.24),
    "parting": (-0.2, 0.2),
    "fringe": (0.4, 1.4),
    "length": (-0.9, 0.9),
    "beard": (0, 1),
    "glasses": (0, 1),
}


class Portraits:
    """N portraits of S x S pixels, painted layer by layer."""

    def __init__(self, traits: Traits, size: int) -> None:
        """Start with empty canvases of this size; see `RANGES` for the traits."""
        self.traits = traits
        self.colours = np.zeros((len(traits["skin"]), 3, size, size), np.float32)
        centres = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 / size) - 1
        self.page_y, self.page_x = np.meshgrid(centres, centres, indexing="ij")
        across, down = self.page_x - traits["across"], self.page_y - traits["down"]
        cos, sin = np.cos(traits["tilt"]), np.sin(traits["tilt"])
        self.x, self.y = cos * across + sin * down, cos * down - sin * across
        self.skin = palette(SKIN, traits["skin"])
        self.hair = palette(HAIR, traits["hair"])

    def paint(self, mask: Array, colour: Array) -> None:
        """Blend colours [N, 3, S, S] over each pixel, with the mask [N, S, S] as opacity."""
        self.colours += mask[:, None] * (colour - self.colours)

    def ellipse(
        self, x: Array | float, y: Array | float, a: Array | float, b: Array | float
    ) -> Array:
        """Return the distance from an ellipse around (x, y), negative inside, [N, S, S]."""
        return (radius((self.x - x) / a, (self.y - y) / b) - 1) * np.minimum(a, b)

    def head(self) -> Array:
        """Return the distance from the outline of the head."""
        t = self.traits
        narrow = 1 - t["jaw"] * np.clip(self.y / t["height"], 0, 1)
        return (radius(self.x / (t["width"] * narrow), self.y / t["height"]) - 1) * t["width"]


def draw(traits: Traits, size: int = SIZE) -> NDArray[np.uint8]:
    """Draw faces, uint8 [N, size, size, 3]."""
    portraits = Portraits(traits, size)
    for layer in (backdrop, long_hair, body, face, eyes, nose, mouth, beard, hair, glasses):
        layer(portraits)
    colours = np.rint(portraits.colours.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(colours.transpose(0, 2, 3, 1))


def inside(distance: Array, edge: float = PIXEL) -> Array:
    """Return the share of a pixel inside an outline at a signed distance, in [0, 1]."""
    return np.clip(0.5 - distance / np.float32(edge), 0, 1)


def radius(x: Array, y: Array) -> Array:
    """Return the distance from the origin, faster than `np.hypot`, which avoids overflow."""
    return np.sqrt(x * x + y * y)


def palette(colours: tuple[tuple[int, int, int], ...], place: Array) -> Array:
    """Interpolate the colours of a palette, [N, 3, 1, 1] in [0, 1]."""
    points = np.array(colours, np.float32) / 255
    channels = [np.interp(place, range(len(points)), points[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.float32)


def tint(hue: Array, light: Array, strength: float) -> Array:
    """Return muted colours of a hue in [0, 1), [N, 3, ...] for light [N, ...]."""
    thirds = np.arange(3, dtype=np.float32).reshape(3, 1, 1) / 3
    return light[:, None] + strength * np.cos(2 * np.pi * (hue[:, None] - thirds))


def backdrop(p: Portraits) -> None:
    """Paint a wall of one colour, lighter on one side."""
    t = p.traits
    light = t["backdrop_light"] + t["backdrop_slope"] * (0.7 * p.page_x - 0.5 * p.page_y)
    p.paint(np.ones_like(light), tint(t["backdrop_hue"], light, 0.09))


def long_hair(p: Portraits) -> None:
    """Paint hair behind the head, down to the shoulders if long."""
    t = p.traits
    side = t["width"] * t["volume"] * 1.08
    falls = np.maximum(np.abs(p.x) - side, np.maximum(-p.y - 0.1, p.y - t["length"]))
    behind = np.minimum(p.ellipse(0, -0.12, side, t["height"] * 0.96), falls)
    p.paint(inside(behind) * (t["length"] > 0.1), p.hair * np.float32(0.72))


def body(p: Portraits) -> None:
    """Paint the neck, in the head's shadow, and the shoulders."""
    t = p.traits
    neck = np.maximum(np.abs(p.page_x - t["across"]) - 0.6 * t["width"], 0.3 - p.y)
    p.paint(inside(neck), p.skin * np.float32(0.74))
    away = radius((p.page_x - t["across"]) / 0.95, (p.page_y - 1.3) / 0.5) - 1
    p.paint(inside(away * 0.5), tint(t["clothes_hue"], t["clothes_light"], 0.16))


def face(p: Portraits) -> None:
    """Paint ears and head, darker towards the edges and away from the light."""
    t = p.traits
    for side in (-1, 1):
        ear = p.ellipse(side * t["width"] - 0.5 * t["turn"], 0.02, 0.08, 0.13)
        p.paint(inside(ear), p.skin * np.float32(0.82))
    round_ = 1 - (p.x / t["width"]) ** 2 - (p.y / t["height"]) ** 2
    shade = 0.74 + 0.3 * np.sqrt(round_.clip(0, 1)) + t["light"] * p.x
    p.paint(inside(p.head()), p.skin * shade[:, None])


def eyes(p: Portraits) -> None:
    """Paint white, iris, pupil, lid and brow of both eyes."""
    t = p.traits
    y, wide, high = t["eye_level"], t["eye_width"], t["eye_height"]
    for side in (-1, 1):
        x = t["turn"] + side * t["eye_gap"]
        p.paint(0.35 * inside(p.ellipse(x, y, 1.5 * wide, 1.9 * high), 0.16), p.skin * SHADE)
        white = inside(p.ellipse(x, y, wide, high))
        p.paint(white, WHITE)
        look = x + 0.2 * t["turn"]
        p.paint(white * inside(p.ellipse(look, y, high, high)), palette(IRIS, t["iris"]))
        pupil = inside(p.ellipse(look, y, 0.55 * high, 0.55 * high))
        p.paint(white * pupil, DARK)
        lid = np.maximum(np.abs(p.ellipse(x, y, wide, high)) - 0.012, p.y - y)
        p.paint(0.7 * inside(lid), p.skin * np.float32(0.25))
        rise = side * t["brow_slope"] * (p.x - x) + 1.2 * (p.x - x) ** 2
        bow = np.abs(p.y - y + t["brow_lift"] - rise) - t["brow_width"]
        p.paint(0.85 * inside(np.maximum(bow, np.abs(p.x - x) - 1.2 * wide)), p.hair * SHADE)


def nose(p: Portraits) -> None:
    """Paint a lit bridge, a shadow below it, and two nostrils."""
    t = p.traits
    x, y, wide = 1.3 * t["turn"], t["eye_level"] + 0.12 + t["nose_length"], t["nose_width"]
    side = x - np.sign(t["light"]) * 0.6 * wide
    p.paint(0.25 * inside(p.ellipse(side, y - 0.13, 0.035, 0.15), 0.1), p.skin * SHADE)
    p.paint(0.3 * inside(p.ellipse(x, y - 0.12, 0.03, 0.15), 0.1), 1.2 * p.skin)
    p.paint(0.5 * inside(p.ellipse(x, y + 0.02, wide, 0.035)), p.skin * SHADE)
    for nostril in (-1, 1):
        hole = p.ellipse(x + nostril * 0.55 * wide, y + 0.02, 0.022, 0.016)
        p.paint(0.7 * inside(hole), p.skin * np.float32(0.3))


def mouth(p: Portraits) -> None:
    """Paint lips that curve with the smile, closed or with teeth between them."""
    t = p.traits
    x = p.x - 1.1 * t["turn"]
    bend = p.y - t["mouth_level"] + t["smile"] * x**2
    taper = np.sqrt((1 - (x / t["mouth_width"]) ** 2).clip(0, 1))
    gap, ends = t["open"].clip(0), np.abs(x) - t["mouth_width"]
    red = np.stack([np.ones_like(t["lip_red"]), *[1 - t["lip_red"]] * 2], axis=1)
    lips = np.maximum(np.abs(bend) - (t["lip"] + gap) * taper, ends)
    p.paint(inside(lips), p.skin * (0.3 + 0.6 * red))
    between = np.maximum(np.abs(bend) - np.maximum(gap, 0.012) * taper, ends)
    teeth = np.where(gap[:, None] > 0.015, np.float32(0.93), p.skin * np.float32(0.28))
    p.paint(inside(between), teeth)


def beard(p: Portraits) -> None:
    """Paint hair on chin and cheeks, around the mouth."""
    t = p.traits
    free = p.ellipse(1.1 * t["turn"], t["mouth_level"], 1.1 * t["mouth_width"], 0.09)
    free = np.minimum(free, p.ellipse(0, -0.06, 0.82 * t["width"], 0.36))
    chin = np.maximum(p.head() + 0.02, np.maximum(0.12 - p.y, -free))
    p.paint(0.85 * inside(chin, 0.12) * (t["beard"] < 1 / 4), p.hair * np.float32(0.85))


def hair(p: Portraits) -> None:
    """Paint hair with a parting, lighter towards the light."""
    t = p.traits
    a, b = t["width"] * t["volume"], t["height"] * (0.5 + 0.5 * t["volume"])
    edge = t["fringe"] * (p.x - t["parting"]) ** 2 - t["hairline"]
    cap = np.maximum(p.ellipse(0, -0.06, a, b), p.y - edge)
    gloss = 0.9 + 0.9 * t["light"] * p.x + 0.25 * np.exp(-(((p.y + 0.5) / 0.12) ** 2))
    p.paint(inside(cap), p.hair * gloss[:, None])


def glasses(p: Portraits) -> None:
    """Paint two dark rims and a bridge."""
    t = p.traits
    worn = 0.85 * (t["glasses"] < 1 / 6)
    bridge = np.maximum(np.abs(p.y - t["eye_level"]) - 0.016, np.abs(p.x - t["turn"]) - 0.06)
    rims = [
        np.abs(p.ellipse(t["turn"] + side * t["eye_gap"], t["eye_level"], 0.175, 0.14)) - 0.014
        for side in (-1, 1)
    ]
    p.paint(worn * inside(np.minimum(bridge, np.minimum(*rims))), DARK)
