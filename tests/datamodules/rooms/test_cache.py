"""The cache of films: which shards it accepts as complete."""

import errno
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from datamodules.loading import durable_file
from datamodules.rooms.cache import (
    SHARD,
    FilmCache,
    Shard,
    film_type,
    sha256,
    shards_of,
    write_films,
)

MADE_OF = {"version": 1, "camera": "rotation", "steps": 2, "seed": 0}
SHARDS = shards_of("train", SHARD + 3)


@pytest.fixture
def cache(tmp_path: Path) -> FilmCache:
    """Two complete shards of synthetic films."""
    made = FilmCache(tmp_path, MADE_OF)
    rng = np.random.default_rng(0)
    for shard in SHARDS:
        films = np.zeros(shard.films, film_type(2, 4))
        films["frames"] = rng.integers(256, size=films["frames"].shape)
        made.add(shard, write_films(made.path(shard), films))
    return made


def test_films_are_divided_into_shards() -> None:
    assert shards_of("val", 2 * SHARD + 1) == [
        ("val", 0, SHARD),
        ("val", 1, SHARD),
        ("val", 2, 1),
    ]
    assert shards_of("val", SHARD) == [("val", 0, SHARD)]
    assert [shard.first for shard in SHARDS] == [0, SHARD]
    assert SHARDS[1].file == "train-00001.npy"


def test_what_is_whole_is_not_missing_and_is_read_as_it_was_written(cache: FilmCache) -> None:
    assert cache.missing(SHARDS) == []
    films = cache.open(SHARDS)
    on_disk = np.concatenate([np.load(cache.path(shard)) for shard in SHARDS])
    for number in (0, SHARD - 1, SHARD, SHARD + 2):
        assert (films[number]["frames"] == on_disk[number]["frames"]).all()
        assert films[number]["frames"].shape == (2, 3, 4, 4) and films[number]["frames"].any()
    assert len(pickle.dumps(films)) < 2_000 + sum(len(str(path)) for path in films.paths)
    again = pickle.loads(pickle.dumps(films))
    assert (again[SHARD]["frames"] == films[SHARD]["frames"]).all()


def test_fewer_films_are_a_part_of_more(cache: FilmCache) -> None:
    fewer = Shard("train", 1, 2)
    assert cache.missing([fewer]) == []
    more = Shard("train", 1, 4)
    assert cache.missing([more, SHARDS[0]]) == [more]


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_damaged_byte_is_found(cache: FilmCache, place: int) -> None:
    path = cache.path(SHARDS[0])
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert cache.missing(SHARDS) == SHARDS[:1]


def test_cut_and_lost_shards_are_found(cache: FilmCache) -> None:
    path = cache.path(SHARDS[0])
    path.write_bytes(path.read_bytes()[:-1])
    cache.path(SHARDS[1]).unlink()
    assert cache.missing(SHARDS) == SHARDS


def test_films_of_another_version_are_none(cache: FilmCache, tmp_path: Path) -> None:
    newer = FilmCache(tmp_path, {**MADE_OF, "version": 2})
    assert newer.missing(SHARDS) == SHARDS
    newer.add(SHARDS[1], sha256(newer.path(SHARDS[1])))
    assert newer.missing(SHARDS) == SHARDS[:1], "what the old version left is forgotten"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made_of": 1}', "null", '{"shards": {}}'])
def test_a_damaged_manifest_is_none(cache: FilmCache, tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    assert cache.missing(SHARDS) == SHARDS


def test_a_damaged_entry_is_none(cache: FilmCache, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["shards"][SHARDS[0].file] = 3
    content["shards"][SHARDS[1].file]["films"] = "many"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert cache.missing(SHARDS) == SHARDS


def test_a_full_disk_is_named_by_the_system_and_by_the_file(
    cache: FilmCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a device that is always full: NumPy's own error says "192 requested", with no number."""
    path = cache.path(SHARDS[0])
    full = path.with_name("full")
    full.symlink_to("/dev/full")
    monkeypatch.setattr(durable_file, "unfinished_file", lambda path: full)
    with pytest.raises(OSError, match="No space left on device") as failure:
        write_films(path, np.zeros(200, film_type(2, 4)))
    assert (failure.value.errno, failure.value.filename) == (errno.ENOSPC, str(path))
    assert cache.missing(SHARDS) == [], "what was there stays"
