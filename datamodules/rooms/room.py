"""Random rooms: the open cells of a grid, their textures, and the objects in them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.rooms.textures import FIRST_OBJECT, OBJECTS, SKY, Textures

#: Rows, and columns, of the grid.
GRID = 5
#: Minimum and maximum number of open cells.
FEWEST_CELLS, MOST_CELLS = 5, 12
#: Range of a cell's side, in the engine's units; a wall's texture is 128 high.
NARROWEST, WIDEST = 120, 220
HEIGHTS = (112, 128, 160)
#: Share of rooms without a ceiling.
OPEN_SHARE = 0.25
#: Minimum distance of an object from walls, other objects and the camera's path.
FROM_WALLS, FROM_OBJECTS, FROM_CAMERA = 24, 36, 48
#: Number of positions to try for an object before it is omitted.
TRIALS = 10
#: Thing type of the camera's start.
PLAYER = 1

Cell = tuple[int, int]


class Room(NamedTuple):
    """Cells that are open to each other wherever they touch."""

    rows: NDArray[np.int64]  #: y of the grid's lines, [GRID + 1]
    columns: NDArray[np.int64]  #: x of the grid's lines, [GRID + 1]
    cells: tuple[Cell, ...]  #: row and column of the open cells, the middle one first

    def centre(self, cell: Cell) -> NDArray[np.float64]:
        """Return x and y of a cell's middle."""
        row, column = cell
        return np.array([self.columns[column : column + 2].mean(), self.rows[row : row + 2].mean()])

    def neighbours(self, cell: Cell) -> Iterator[Cell]:
        """Yield the open cells beside a cell."""
        row, column = cell
        for beside in ((row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column)):
            if beside in self.cells:
                yield beside

    def passage(self, here: Cell, there: Cell) -> NDArray[np.float64]:
        """Return x and y of the middle of the border between two cells that touch."""
        row, column = max(here[0], there[0]), max(here[1], there[1])
        if here[0] == there[0]:
            return np.array([self.columns[column], self.rows[row : row + 2].mean()])
        return np.array([self.columns[column : column + 2].mean(), self.rows[row]])


def draw_room(rng: np.random.Generator) -> Room:
    """Draw a room, grown cell by cell from the middle of the grid."""
    cells = [(GRID // 2, GRID // 2)]
    size = rng.integers(FEWEST_CELLS, MOST_CELLS + 1)
    while len(cells) < size:
        row, column = cells[rng.integers(len(cells))]
        down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[rng.integers(4)]
        cell = row + down, column + right
        if min(cell) >= 0 and max(cell) < GRID and cell not in cells:
            cells.append(cell)
    rows, columns = (
        np.concatenate([[0], np.cumsum(rng.integers(NARROWEST, WIDEST, GRID))]) for _ in range(2)
    )
    return Room(rows, columns, tuple(cells))


def textmap(
    room: Room, camera: NDArray[np.int64], textures: Textures, rng: np.random.Generator
) -> str:
    """Furnish a room, and return it in UDMF, the engine's map format.

    Args:
        room: the room.
        camera: x and y of all camera positions, [P, 2], which objects avoid.
        textures: available textures of walls, floors and ceilings.
        rng: source of the room's appearance.
    """
    tint = "".join(f"{255 - value:02x}" for value in rng.integers(0, 70, 3))
    light = rng.integers(208, 256)
    height = rng.choice(HEIGHTS)
    floors, ceilings = rng.choice(textures.flats, (2, 2))
    if rng.random() < OPEN_SHARE:
        ceilings = np.array([SKY, SKY])
    palette = rng.choice(textures.walls, rng.integers(3, 7), replace=False)
    common = (
        f"heightfloor = 0; heightceiling = {height}; lightlevel = {light}; lightcolor = 0x{tint}"
    )
    blocks = ['namespace = "zdoom";', *_walls(room, palette, rng)]
    for _ in room.cells:
        look = rng.integers(2)
        covers = f'texturefloor = "{floors[look]}"; textureceiling = "{ceilings[look]}"'
        blocks.append(f"sector {{ {common}; {covers}; }}")
    blocks.append(_thing(camera[0], 0, PLAYER))
    blocks.extend(_things(room, camera, rng))
    return "\n".join(blocks)


def _walls(room: Room, palette: NDArray[np.str_], rng: np.random.Generator) -> Iterator[str]:
    """Yield vertices, lines and their sides; a line's right side faces its cell."""
    corners: dict[Cell, int] = {}
    lines: list[str] = []
    sides: list[str] = []
    number = {cell: sector for sector, cell in enumerate(room.cells)}
    for (row, column), sector in number.items():
        ring = [(row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1)]
        beside = [(row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column)]
        for begin, end, other in zip(ring, ring[1:] + ring[:1], beside, strict=True):
            between = number.get(other)
            if between is not None and between < sector:
                continue  # Written with the other cell.
            first, second = (corners.setdefault(corner, len(corners)) for corner in (begin, end))
            line = f"v1 = {first}; v2 = {second}; sidefront = {len(sides)};"
            if between is None:
                lines.append(f"linedef {{ {line} blocking = true; }}")
                look = rng.choice(palette)
                sides.append(f'sidedef {{ sector = {sector}; texturemiddle = "{look}"; }}')
            else:
                lines.append(f"linedef {{ {line} sideback = {len(sides) + 1}; twosided = true; }}")
                sides += [f"sidedef {{ sector = {each}; }}" for each in (sector, between)]
    for row, column in corners:
        yield f"vertex {{ x = {room.columns[column]}.0; y = {room.rows[row]}.0; }}"
    yield from lines
    yield from sides


def _things(room: Room, camera: NDArray[np.int64], rng: np.random.Generator) -> Iterator[str]:
    """Yield one or two objects for each cell, where there is room for them."""
    occupied = np.zeros((0, 2))
    for row, column in room.cells:
        for _ in range(rng.integers(1, 3)):
            low = np.array([room.columns[column], room.rows[row]]) + FROM_WALLS
            high = np.array([room.columns[column + 1], room.rows[row + 1]]) - FROM_WALLS
            places = rng.uniform(low, high, (TRIALS, 2))
            turn, kind = 45 * int(rng.integers(8)), FIRST_OBJECT + int(rng.integers(len(OBJECTS)))
            free = _away(places, camera, FROM_CAMERA) & _away(places, occupied, FROM_OBJECTS)
            if free.any():
                place = places[free.argmax()]
                occupied = np.concatenate([occupied, place[None]])
                yield _thing(place, turn, kind)


def _away(places: NDArray[np.float64], others: NDArray[Any], distance: float) -> NDArray[np.bool_]:
    """Return which places are farther than a distance from all others."""
    gaps = np.linalg.norm(places[:, None] - others[None], axis=-1)
    return (gaps > distance).all(axis=1)


def _thing(place: NDArray[Any], angle: int, kind: int) -> str:
    x, y = place
    skills = " ".join(f"skill{level} = true;" for level in range(1, 6))
    return (
        f"thing {{ x = {x:.1f}; y = {y:.1f}; angle = {angle}; type = {kind}; "
        f"{skills} single = true; }}"
    )
