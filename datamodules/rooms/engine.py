"""The engine that renders rooms: ViZDoom, in the calling process (see `film_worker.py`).

It needs no display. An invalid map may crash or hang the process, and the engine writes files into
the working directory, so only a film worker should open it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import vizdoom
from numpy.typing import NDArray
from PIL import Image

from datamodules.rooms.camera import TURN, short_way
from datamodules.rooms.film_script import SIZE
from datamodules.rooms.textures import TEXTURES_FILE, object_kinds
from datamodules.rooms.wad import Lump, write_wad

#: Freedoom: Phase 2, which ViZDoom ships; all textures and sprites come from it.
ASSETS = Path(vizdoom.__file__).with_name(TEXTURES_FILE)
#: Height of the eye above the floor; lower while the camera lands from a jump.
EYE = 41.0
LEFT_OUT = [
    "hud",
    "weapon",
    "crosshair",
    "decals",
    "particles",
    "effects_sprites",
    "messages",
    "corpses",
    "screen_flashes",
]
#: Tics from a map's start until turns take effect.
WARM_UP = 16


class Engine:
    """Films a camera in maps.

    Args:
        folder: folder for its files.
        maps: maps of rooms, as text.
    """

    def __init__(self, folder: Path, maps: Sequence[str]) -> None:
        lumps = [Lump("DECORATE", object_kinds())]
        for number, text in enumerate(maps):
            map_lumps = (
                Lump(_name(number), b""),
                Lump("TEXTMAP", text.encode()),
                Lump("ENDMAP", b""),
            )
            lumps.extend(map_lumps)
        write_wad(folder / "rooms.wad", lumps)
        game = vizdoom.DoomGame()
        game.set_doom_game_path(str(ASSETS))
        game.set_doom_scenario_path(str(folder / "rooms.wad"))
        game.set_doom_config_path(str(folder / "engine.ini"))
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_window_visible(False)
        game.set_sound_enabled(False)
        for what in LEFT_OUT:
            getattr(game, f"set_render_{what}")(False)
        game.set_available_buttons([vizdoom.Button.TURN_LEFT_RIGHT_DELTA])
        variables = vizdoom.GameVariable
        game.set_available_game_variables(
            [variables.POSITION_X, variables.POSITION_Y, variables.ANGLE, variables.VIEW_HEIGHT]
        )
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_episode_timeout(0)
        game.set_episode_start_time(WARM_UP)
        game.set_seed(0)
        game.add_game_args("+movebob 0 +stillbob 0")
        game.set_doom_map(_name(0))
        game.init()
        self._game = game

    def __enter__(self) -> "Engine":
        """Return the engine."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End the engine's process."""
        self._game.close()

    def film(self, number: int, poses: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Film a room.

        Args:
            number: index of the map.
            poses: poses of the camera, [T, 3].

        Returns:
            Frames in red, green and blue, [T, 3, 32, 32].

        Raises:
            RuntimeError: the camera is not where it should be.
        """
        self._game.set_doom_map(_name(number))
        self._game.new_episode()
        return np.stack([shrunk(frame) for frame in self._frames(poses)])

    def _frames(self, poses: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        heading = round(self._variables()[2] * TURN / 360)
        place: tuple[int, int] | None = None
        for x, y, target in poses.tolist():
            if (x, y) != place:
                self._game.send_game_command(f"warp {x} {y}")
            # Clockwise, in degrees, the short way round.
            turn = short_way(heading - target)
            self._game.make_action([turn * 360 / TURN])
            if (x, y) != place:
                # In the tic of the warp itself, the eye is on the floor.
                self._game.make_action([0.0])
            place, heading = (x, y), target
            self._require_at(x, y, target)
            yield self._game.get_state().screen_buffer

    def _variables(self) -> NDArray[np.float64]:
        variables = self._game.get_state().game_variables
        assert variables is not None
        return variables

    def _require_at(self, x: int, y: int, heading: int) -> None:
        found_x, found_y, angle, eye = self._variables()
        # The engine reports angles to 0.003 degrees.
        off = (angle * TURN / 360 - heading + TURN / 2) % TURN - TURN / 2
        if (found_x, found_y, eye) != (x, y, EYE) or abs(off) > 1:
            raise RuntimeError(
                f"the camera is at {found_x}, {found_y} and {angle} degrees, {eye} high, "
                f"and not at {x}, {y} and {heading * 360 / TURN} degrees"
            )


def shared_memory() -> list[str]:
    """List the shared-memory files of this process and its engine; Linux only.

    The engine removes them unless this process is killed; they take 11 MB of memory.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line.split()[-1] for line in lines if "/dev/shm/ViZDoom" in line})


def shrunk(screen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average the middle square of a screen [H, W, 3] to [3, 32, 32]."""
    height, width, _ = screen.shape
    side, first = height, (width - height) // 2
    square = np.ascontiguousarray(screen[:, first : first + side])
    small = Image.fromarray(square).resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(small).transpose(2, 0, 1)


def _name(number: int) -> str:
    return f"R{number:05}"
