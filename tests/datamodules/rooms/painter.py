"""What stands for the 3D engine in all tests but those that are marked `engine`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datamodules.rooms.cache import film_type, write_films
from datamodules.rooms.film_script import CAMERAS, SIZE
from datamodules.rooms.room import draw_room


class Painter:
    """A film worker of films without a room: frames of one colour, that of the camera's heading."""

    fails: ClassVar[dict[str, list[Exception]]] = {}
    """What goes wrong with a shard, by its file, one after the other."""
    rendered: ClassVar[list[str]] = []
    """Files of the shards that were rendered."""

    def __enter__(self) -> "Painter":
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""

    def kill(self) -> None:
        """End nothing."""

    def render(self, request: dict[str, Any], progress: Callable[[int], Any]) -> str:
        """Paint a shard as `FilmWorker.render` would render it."""
        path = Path(request["path"])
        wrong = self.fails.get(path.name, [])
        if wrong:
            raise wrong.pop(0)
        steps, count = request["steps"], request["films"]
        films = np.zeros(count, film_type(steps, SIZE))
        for place, film in enumerate(films):
            rng = np.random.default_rng(request["first"] + place)
            film["poses"] = CAMERAS[request["camera"]](draw_room(rng), steps, rng)
            film["frames"] = film["poses"][:, 2].reshape(-1, 1, 1, 1) >> 8
        digest = write_films(path, films)
        progress(count)
        self.rendered.append(path.name)
        return digest
