"""Rooms and their maps: connected, closed, well-formed, and empty where the camera goes."""

import re
from collections import Counter, deque

import numpy as np
import pytest

from datamodules.rooms.camera import there_and_back
from datamodules.rooms.room import FROM_CAMERA, GRID, Room, draw_room, textmap
from datamodules.rooms.textures import SKY, Textures

TEXTURES = Textures(tuple(f"WALL{n}" for n in range(9)), tuple(f"FLAT{n}" for n in range(9)))
SEEDS = range(60)


def rooms() -> list[tuple[Room, np.ndarray, str]]:
    """Rooms, the camera's places in them, and their maps."""
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        room = draw_room(rng)
        places = there_and_back(room, 40, rng)[:, :2]
        found.append((room, places, textmap(room, places, TEXTURES, rng)))
    return found


ROOMS = rooms()


def blocks(text: str, kind: str) -> list[dict[str, str]]:
    """Read blocks of UDMF: `kind { key = value; ... }`."""
    bodies = re.findall(rf"^{kind} \{{(.*)\}}$", text, re.M)
    return [dict(re.findall(r"(\w+) = ([^;]+);", body)) for body in bodies]


@pytest.mark.parametrize(("room", "places", "text"), ROOMS)
def test_open_cells_are_connected(room: Room, places: np.ndarray, text: str) -> None:
    seen, queue = {room.cells[0]}, deque([room.cells[0]])
    while queue:
        row, column = queue.popleft()
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if cell in room.cells and cell not in seen:
                seen.add(cell)
                queue.append(cell)
    assert seen == {*room.cells} and len(seen) == len(room.cells)
    assert 5 <= len(seen) <= 12 and room.cells[0] == (2, 2)
    assert all(0 <= index < GRID for cell in seen for index in cell)


@pytest.mark.parametrize(("room", "places", "text"), ROOMS)
def test_maps_are_closed_and_their_lines_face_the_right_cells(
    room: Room, places: np.ndarray, text: str
) -> None:
    """A line's right side is inside its front sector; borders to nowhere are walls with a look."""
    corners = [(float(v["x"]), float(v["y"])) for v in blocks(text, "vertex")]
    sides, sectors = blocks(text, "sidedef"), blocks(text, "sector")
    assert len(sectors) == len(room.cells) and len(set(corners)) == len(corners)
    perimeter: Counter[int] = Counter()
    for line in blocks(text, "linedef"):
        (x1, y1), (x2, y2) = corners[int(line["v1"])], corners[int(line["v2"])]
        middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        right = np.array([y2 - y1, x1 - x2]) / np.hypot(x2 - x1, y2 - y1)
        for name, sign in (("sidefront", 1), ("sideback", -1)):
            if name not in line:
                assert "texturemiddle" in sides[int(line["sidefront"])] and line["blocking"]
                continue
            sector = int(sides[int(line[name])]["sector"])
            perimeter[sector] += 1
            x, y = middle + sign * right
            row, column = room.cells[sector]
            assert room.columns[column] < x < room.columns[column + 1]
            assert room.rows[row] < y < room.rows[row + 1]
    assert set(perimeter.values()) == {4}


@pytest.mark.parametrize(("room", "places", "text"), ROOMS)
def test_nothing_stands_in_the_cameras_way(room: Room, places: np.ndarray, text: str) -> None:
    camera, *things = blocks(text, "thing")
    assert camera["type"] == "1"
    stand = np.array([[float(thing["x"]), float(thing["y"])] for thing in things])
    assert len(stand) <= 2 * len(room.cells)
    for x, y in stand:
        row, column = np.searchsorted(room.rows, y) - 1, np.searchsorted(room.columns, x) - 1
        assert (row, column) in room.cells
    if len(stand):
        gaps = np.linalg.norm(stand[:, None] - places[None], axis=-1)
        assert gaps.min() > FROM_CAMERA - 0.1  # places are written with a decimal


def test_looks_vary() -> None:
    looks = [blocks(text, "sector")[0] for _, _, text in ROOMS]
    open_share = np.mean([look["textureceiling"] == f'"{SKY}"' for look in looks])
    assert 0.1 < open_share < 0.45
    for key, least in (("lightlevel", 20), ("lightcolor", 55), ("heightceiling", 3)):
        assert len({look[key] for look in looks}) >= least, key
