"""Process that renders shards of films: `python -m datamodules.rooms.serve FOLDER`.

It reads requests from standard input and says on standard output what became of each, both a line
of JSON. FOLDER is its own to write in. When its input ends, or nobody listens any more, the process
ends, too, and removes FOLDER: whoever asked may have been killed.
"""

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from datamodules.rooms.cache import film_type, write_films
from datamodules.rooms.engine import ASSETS, Engine, shared_memory
from datamodules.rooms.film_script import SIZE, write_film
from datamodules.rooms.textures import Textures, textures_of
from datamodules.rooms.wad import read_wad
from datamodules.sources import Split

#: Films after which it says that it is alive.
REPORT = 10


class Request(NamedTuple):
    """A shard to render."""

    camera: str
    steps: int
    seed: int
    split: Split
    first: int
    films: int
    path: str


def render(request: Request, textures: Textures, folder: Path, out: TextIO) -> dict[str, Any]:
    """Render a shard, and return what is to be said of it."""
    numbers = range(request.first, request.first + request.films)
    scripts = [
        write_film(request.camera, request.steps, request.seed, request.split, number, textures)
        for number in numbers
    ]
    shard = np.zeros(request.films, film_type(request.steps, SIZE))
    with Engine(folder, [script.map_text for script in scripts]) as engine:
        say({"shared_memory": shared_memory()}, out)
        for number, (film, script) in enumerate(zip(shard, scripts, strict=True)):
            film["frames"], film["poses"] = engine.film(number, script.poses), script.poses
            if number % REPORT == REPORT - 1:
                say({"films": REPORT}, out)
    digest = write_films(Path(request.path), shard)
    return {"films": request.films % REPORT, "sha256": digest}


def main(folder: Path) -> None:
    """Serve requests until there are no more."""
    # The engine writes into the working directory, and some of its messages to standard output.
    os.chdir(folder)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    textures = textures_of(read_wad(ASSETS))
    for line in sys.stdin:
        try:
            answer = render(Request(**json.loads(line)), textures, folder, out)
        except BrokenPipeError:
            break
        except OSError as failure:
            # What Python does not name is in the folder.
            named = str(failure.filename or folder)
            answer = {"error": [failure.errno, failure.strerror or str(failure), named]}
        with suppress(BrokenPipeError):  # the next line is the end
            say(answer, out)
    # After any other exception it stays: its log has the reason.
    shutil.rmtree(folder, ignore_errors=True)


def say(answer: dict[str, Any], out: TextIO) -> None:
    """Write a line at once."""
    print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
