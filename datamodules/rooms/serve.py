"""Process that renders shards of films: `python -m datamodules.rooms.serve FOLDER`.

It reads requests from standard input and writes responses to standard output, each a line of JSON.
It has FOLDER to itself. When its input ends or its output is closed, for example because the parent
was killed, the process removes FOLDER and ends.
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

#: Number of films between progress reports.
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
    """Render a shard, and return the final response."""
    numbers = range(request.first, request.first + request.films)
    scripts = [
        write_film(request.camera, request.steps, request.seed, request.split, number, textures)
        for number in numbers
    ]
    shard = np.zeros(request.films, film_type(request.steps, SIZE))
    with Engine(folder, [script.map_text for script in scripts]) as engine:
        send({"shared_memory": shared_memory()}, out)
        for number, (film, script) in enumerate(zip(shard, scripts, strict=True)):
            film["frames"], film["poses"] = engine.film(number, script.poses), script.poses
            if number % REPORT == REPORT - 1:
                send({"films": REPORT}, out)
    digest = write_films(Path(request.path), shard)
    return {"films": request.films % REPORT, "sha256": digest}


def main(folder: Path) -> None:
    """Serve requests until the input ends."""
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
            # Errors without a file name are about the folder.
            path = str(failure.filename or folder)
            answer = {"error": [failure.errno, failure.strerror or str(failure), path]}
        with suppress(BrokenPipeError):  # the loop ends at the next read
            send(answer, out)
    # After any other exception the folder stays, since its log has the reason.
    shutil.rmtree(folder, ignore_errors=True)


def send(answer: dict[str, Any], out: TextIO) -> None:
    """Write a line, and flush it."""
    print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
