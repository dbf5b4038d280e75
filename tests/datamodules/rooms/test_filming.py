"""Filming: failures of a film worker, with one that draws nothing in the engine's place."""

import errno
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.loading.durable_file import unfinished_file
from datamodules.rooms import filming
from datamodules.rooms.cache import FilmCache, Shard, shards_of
from datamodules.rooms.camera import rotation
from datamodules.rooms.film_worker import LostFilmWorker
from datamodules.rooms.filming import FilmingFailed, complete
from datamodules.rooms.room import draw_room
from tests.datamodules.rooms.painter import Painter

SETTINGS = {"camera": "rotation", "steps": 2, "seed": 0}
SHARDS = [*shards_of("train", 401), *shards_of("val", 3)]


OWN = Painter.render


def slow(self: Painter, request: dict[str, Any], progress: Callable[[int], Any]) -> str:
    """Take a moment."""
    time.sleep(0.05)
    return OWN(self, request, progress)


@pytest.fixture
def painter() -> type[Painter]:
    """Starts with nothing rendered, and nothing that fails."""
    Painter.fails, Painter.rendered = {}, []
    return Painter


@pytest.fixture
def cache(tmp_path: Path) -> FilmCache:
    return FilmCache(tmp_path / "films", {"version": 1})


def poses(cache: FilmCache) -> list[list[int]]:
    of_splits = [(cache.open(SHARDS[:3]), 401), (cache.open(SHARDS[3:]), 3)]
    return [films[n]["poses"][0].tolist() for films, count in of_splits for n in range(count)]


def expected() -> list[list[int]]:
    """First poses of films 0 to 400, then of 0 to 2, each drawn by its number."""
    found = []
    for number in [*range(401), *range(3)]:
        rng = np.random.default_rng(number)
        found.append(rotation(draw_room(rng), 2, rng)[0].tolist())
    return found


def test_what_is_missing_is_rendered_once(cache: FilmCache, painter: type[Painter]) -> None:
    complete(cache, SHARDS, SETTINGS)
    assert sorted(painter.rendered) == sorted(shard.file for shard in SHARDS)
    assert poses(cache) == expected()
    cache.path(SHARDS[1]).write_bytes(b"damaged")
    complete(cache, SHARDS, SETTINGS)
    assert painter.rendered[4:] == [SHARDS[1].file]
    assert poses(cache) == expected()


def test_what_a_killed_worker_left_is_removed(cache: FilmCache, painter: type[Painter]) -> None:
    cache.folder.mkdir()
    left = unfinished_file(cache.path(SHARDS[0]))
    left.touch()
    complete(cache, SHARDS, SETTINGS)
    assert not left.exists() and not cache.missing(SHARDS)


def test_a_lost_film_worker_is_replaced_and_a_second_loss_is_an_error(
    cache: FilmCache, painter: type[Painter]
) -> None:
    painter.fails = {SHARDS[1].file: [LostFilmWorker("killed")]}
    complete(cache, SHARDS, SETTINGS)
    assert not cache.missing(SHARDS)
    more = [Shard("test", 0, 5)]
    painter.fails = {more[0].file: [LostFilmWorker("the engine ended with status -9")] * 2}
    with pytest.raises(FilmingFailed) as failure:
        complete(cache, more, SETTINGS)
    assert str(failure.value) == "films 0 to 4 of test: the engine ended with status -9"
    assert cache.missing(more) == more and not cache.missing(SHARDS)


def test_a_full_disk_ends_it_and_what_was_rendered_stays(
    cache: FilmCache, painter: type[Painter]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "x")
    painter.fails = {SHARDS[2].file: [full]}
    with pytest.raises(OSError, match="No space left"):
        complete(cache, SHARDS, SETTINGS)
    left = cache.missing(SHARDS)
    assert SHARDS[2] in left
    complete(cache, left, SETTINGS)
    assert sorted(painter.rendered) == sorted(shard.file for shard in SHARDS), "none twice"


def test_what_was_interrupted_goes_on_where_it_stopped(
    cache: FilmCache, painter: type[Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches the thread that waits for the others."""

    def interrupted(*_: object, **__: object) -> None:
        while not painter.rendered:
            time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(filming, "cores", lambda: 1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(filming, "wait", interrupted)
        patched.setattr(painter, "render", slow)
        complete(cache, SHARDS, SETTINGS)
    before = [*painter.rendered]
    assert 1 <= len(before) < len(SHARDS)
    assert {shard.file for shard in SHARDS} - {s.file for s in cache.missing(SHARDS)} == {*before}
    complete(cache, SHARDS, SETTINGS)
    assert sorted(painter.rendered) == sorted(shard.file for shard in SHARDS), "none twice"
    assert poses(cache) == expected()


def test_films_of_another_version_are_rendered_again(
    cache: FilmCache, painter: type[Painter]
) -> None:
    complete(cache, SHARDS, SETTINGS)
    newer = FilmCache(cache.folder, {"version": 2})
    complete(newer, SHARDS, SETTINGS)
    assert sorted(painter.rendered) == sorted(2 * [shard.file for shard in SHARDS])
    assert newer.missing(SHARDS) == [] and cache.missing(SHARDS) == SHARDS
    assert poses(newer) == expected()


def test_films_of_a_lost_film_worker_are_not_counted_twice(
    cache: FilmCache, painter: type[Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []

    def half(self: Painter, request: dict[str, Any], progress: Any) -> str:
        monkeypatch.setattr(painter, "render", OWN)
        progress(100)
        raise LostFilmWorker("killed")

    monkeypatch.setattr(painter, "render", half)
    cache.folder.mkdir()
    filming.Filming(cache, SHARDS[:1], SETTINGS, shown.append).run()
    assert shown == [100, -100, 200]


def test_what_would_not_fit_is_not_begun(
    cache: FilmCache, painter: type[Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = type("Usage", (), {"free": 2_000_000})
    monkeypatch.setattr(filming.shutil, "disk_usage", lambda _: free)
    with pytest.raises(FilmingFailed, match=r"films: films need 2 MB, but only 2 MB are free"):
        complete(cache, SHARDS, SETTINGS)
    assert not painter.rendered


def test_of_two_at_once_one_renders_and_the_other_says_that_it_waits(
    cache: FilmCache, painter: type[Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(painter, "render", slow)
    monkeypatch.setattr(filming, "rank_zero_info", said.append)
    both = [threading.Thread(target=complete, args=(cache, SHARDS, SETTINGS)) for _ in "ab"]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(painter.rendered) == sorted(shard.file for shard in SHARDS)
    assert sorted(said) == [
        "Another process renders the same films: waiting for it",
        f"Rendering 404 films of rooms, once, into {cache.folder}",
    ]


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(filming.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FilmingFailed, match="ViZDoom, .*, is missing: pip install vizdoom"):
        filming.require_engine()
    found = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(filming.importlib.util, "find_spec", lambda _: found)
    with pytest.raises(FilmingFailed, match=r"freedoom2.wad is missing: pip install --force"):
        filming.require_engine()
    (tmp_path / "freedoom2.wad").touch()
    filming.require_engine()


def test_manifests_name_what_is_whole(cache: FilmCache) -> None:
    complete(cache, SHARDS, SETTINGS)
    manifest = json.loads((cache.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["made_of"] == {"version": 1}
    assert {name: entry["films"] for name, entry in manifest["shards"].items()} == {
        shard.file: shard.films for shard in SHARDS
    }
