"""Textures of walls and floors, and sprites of objects, from Freedoom."""

import struct
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from datamodules.rooms.wad import Lump

#: The engine's textures, beside its module.
TEXTURES_FILE = "freedoom2.wad"
#: Animated textures, excluded because a frame must look the same later.
MOVING_WALLS = (
    *("BLODGR", "SLADRIP", "BLODRIP", "FIRE", "GSTFONT", "ROCKRED"),
    *("BFALL", "SFALL", "WFALL", "DBRAIN"),
)
MOVING_FLATS = ["NUKAGE", "FWATER", "SWATER", "LAVA", "BLOOD", "RROCK0", "SLIME"]
#: Transparent gratings, switches, skies and placeholders.
NO_WALLS = (*MOVING_WALLS, *["MID", "SW1", "SW2", "SKY", "AA", "WEB", "DUMMY", "PDUMMY"])
NO_FLATS = (*MOVING_FLATS, "F_SKY", "DUMMY")
#: Bytes of a floor's texture, 64 x 64.
FLAT_SIZE = 64 * 64
TEXTURE, WALL_HEIGHT, WALL_WIDTHS = struct.Struct("<8sihhih"), 128, (64, 128)
SKY = "F_SKY1"

#: Sprites of Freedoom that stand still.
SPRITES = (
    *("BAR1", "CAND", "CBRA", "COL1", "COL2", "COL3", "COL4", "COL6", "ELEC"),
    *("TRE1", "SMIT", "TLMP", "TLP2", "TBLU", "TRED", "SMBT", "FCAN", "POL5"),
    *("BPAK", "MEDI", "STIM", "ARM1", "ARM2", "SOUL", "PINV", "MEGA", "BKEY"),
    *("RSKU", "TROO", "POSS", "SPOS", "SARG", "HEAD", "BOSS", "SKUL", "PLAY"),
)
#: Each sprite comes in its own colours and in shades of these: red, green and blue from 0 to 1.
TINTS = (None, (1, 0.3, 0.3), (0.3, 1, 0.3), (0.4, 0.5, 1), (1, 1, 0.3), (1, 0.4, 1), (0.3, 1, 1))
OBJECTS = tuple(product(SPRITES, TINTS))
#: Number of the first object's kind; the engine's own kinds are below.
FIRST_OBJECT = 20_000


class Textures(NamedTuple):
    """Names of the textures that a room may use."""

    walls: tuple[str, ...]
    flats: tuple[str, ...]  #: of floors and ceilings


def textures_of(lumps: Sequence[Lump]) -> Textures:
    """List an archive's static textures that fit a wall or a floor."""
    names = [lump.name for lump in lumps]
    flats = [
        lump.name
        for lump in lumps[names.index("F_START") + 1 : names.index("F_END")]
        if len(lump.content) == FLAT_SIZE and not lump.name.startswith(NO_FLATS)
    ]
    return Textures(_walls(lumps[names.index("TEXTURE1")].content), tuple(sorted(flats)))


def _walls(content: bytes) -> tuple[str, ...]:
    (count,) = struct.unpack_from("<i", content)
    walls = []
    for offset in struct.unpack_from(f"<{count}i", content, 4):
        coded, _, width, height, _, _ = TEXTURE.unpack_from(content, offset)
        name = coded.rstrip(b"\0").decode("latin-1")
        if height == WALL_HEIGHT and width in WALL_WIDTHS and not name.startswith(NO_WALLS):
            walls.append(name)
    return tuple(sorted(walls))


def object_kinds() -> bytes:
    """Return the declarations of all objects, in DECORATE, the engine's language."""
    return "\n".join(_kind(number, *kind) for number, kind in enumerate(OBJECTS)).encode()


def _kind(number: int, sprite: str, tint: tuple[float, float, float] | None) -> str:
    colours = (
        "" if tint is None else f'Translation "0:255=%[0,0,0]:[{tint[0]},{tint[1]},{tint[2]}]"'
    )
    return (
        f"ACTOR Object{number} {FIRST_OBJECT + number}\n"
        f"{{\nRadius 12\nHeight 32\nScale 1.4\n{colours}\n"
        f"States\n{{\nSpawn:\n{sprite} A -1\nStop\n}}\n}}"
    )
