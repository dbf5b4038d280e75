"""Films by the real engine: what the camera sees, that it returns, and what ends a film worker."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from datamodules import LoopClosure, Rotation
from datamodules.rooms import film_worker
from datamodules.rooms.cache import FilmCache, shards_of
from datamodules.rooms.camera import TURN
from datamodules.rooms.engine import ASSETS, Engine
from datamodules.rooms.film_script import write_film
from datamodules.rooms.film_worker import FilmWorker, LostFilmWorker
from datamodules.rooms.filming import Filming, FilmingFailed, complete
from datamodules.rooms.room import draw_room, textmap
from datamodules.rooms.textures import OBJECTS, Textures, textures_of
from datamodules.rooms.wad import read_wad
from tests.cli.commands import ROOT

pytestmark = pytest.mark.engine
FILMS = 12
SETTINGS = {"camera": "rotation", "steps": 30, "seed": 0}


@pytest.fixture(scope="module")
def textures() -> Textures:
    return textures_of(read_wad(ASSETS))


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine writes into the working directory."""
    monkeypatch.chdir(tmp_path)


def test_there_is_much_to_see(textures: Textures) -> None:
    assert len(textures.walls) > 500 and len(textures.flats) > 150 and len(OBJECTS) > 200
    assert not [name for name in textures.walls if name.startswith(("FIRE", "SW1", "GSTFONT"))]
    assert not [name for name in textures.flats if name.startswith(("NUKAGE", "SWATER", "F_SKY"))]


def test_a_camera_that_turns_once_sees_what_it_saw_and_something_else_between(
    textures: Textures, tmp_path: Path
) -> None:
    maps, poses = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        room = draw_room(rng)
        x, y = room.centre(room.cells[0]).astype(int)
        heading = np.arange(17) * TURN // 16 % TURN
        poses.append(np.column_stack([np.full(17, x), np.full(17, y), heading]))
        maps.append(textmap(room, poses[-1][:, :2], textures, rng))
    with Engine(tmp_path, maps) as engine:
        films = [engine.film(number, each) for number, each in enumerate(poses)]
        again = engine.film(1, poses[1])
    assert (films[1] == again).all(), "whatever was filmed in between"
    for film in films:
        assert film.shape == (17, 3, 32, 32) and film.dtype == np.uint8
        assert (film[16] == film[0]).all()
        between = np.abs(film[:-1].astype(int) - np.roll(film[:-1], 1, 0)).mean((1, 2, 3))
        assert between.min() > 1 and film.std() > 10
    assert np.abs(films[0].astype(int) - films[2]).mean() > 10, "rooms differ"


def test_turning_left_moves_what_is_seen_to_the_right(textures: Textures, tmp_path: Path) -> None:
    """Headings are counter-clockwise; 1/64 of a turn is two of 32 pixels, which see 90 degrees."""
    script = write_film("rotation", 2, 0, "test", 5, textures)
    x, y, _ = script.poses[0]
    shifts = []
    with Engine(tmp_path, [script.map_text]) as engine:
        for first in range(0, TURN, TURN // 8):
            film = engine.film(0, np.array([(x, y, first), (x, y, (first + TURN // 64) % TURN)]))
            row = film[:, :, 16].mean(1)
            errors = [np.abs(np.roll(row[0], s)[6:-6] - row[1][6:-6]).mean() for s in range(-5, 6)]
            shifts.append(np.argmin(errors) - 5)
    assert 1 <= np.median(shifts) <= 3


def test_two_processes_film_the_same_whatever_they_filmed_before(tmp_path: Path) -> None:
    small = {"val_size": 2, "test_size": 2, "num_workers": 0}
    one = Rotation(data_dir=str(tmp_path / "one"), train_size=FILMS, **small)
    other = Rotation(data_dir=str(tmp_path / "other"), train_size=FILMS // 2, **small)
    for data in (one, other):
        data.prepare_data()
        data.setup()
    tests = [data.dataset("test").__getitems__(range(2)).frames for data in (one, other)]
    assert (tests[0] == tests[1]).all()
    both = [data.dataset("train").__getitems__(range(FILMS // 2)).frames for data in (one, other)]
    assert (both[0] == both[1]).all()
    splits = [one.dataset(split)[0].frames for split in ("train", "val", "test")]
    assert not any((splits[a] == splits[b]).all() for a, b in ((0, 1), (0, 2), (1, 2)))
    # In a later epoch films come in another order.
    train = one.dataset("train")
    for episodes in (range(FILMS), range(FILMS, 2 * FILMS)):
        rendered = np.stack([train._film(episode)["poses"] for episode in episodes])
        assert (train.origins(episodes)[1].numpy() == rendered).all()


def test_the_way_back_shows_the_way_there_to_the_bit(tmp_path: Path) -> None:
    sizes = {"train_size": 1, "val_size": 1, "test_size": FILMS, "num_workers": 0}
    data = LoopClosure(data_dir=str(tmp_path), **sizes)
    data.prepare_data()
    data.setup()
    frames = data.dataset("test").__getitems__(range(FILMS)).frames
    assert (frames[:, 20:] == frames[:, :20].flip(1)).all()
    assert (frames[:, 1:20] - frames[:, :19]).abs().mean((0, 2, 3, 4)).min() > 0.01, "it moves"


def test_a_killed_film_worker_is_replaced_and_leaves_nothing(tmp_path: Path) -> None:
    cache = FilmCache(tmp_path / "films", {"version": 1})
    shards = shards_of("train", 30)
    killed: list[int] = []
    shown: list[int] = []

    def kill_the_first(films: int) -> None:
        shown.append(films)
        if films and not killed:
            (lost,) = job._workers
            killed.append(lost._process.pid)
            assert left_by(lost), "the engine is at work"
            losses.append(lost)
            os.kill(killed[0], signal.SIGKILL)

    losses: list[FilmWorker] = []
    job = Filming(cache, shards, SETTINGS, kill_the_first)
    cache.folder.mkdir()
    job.run()
    assert cache.missing(shards) == []
    assert [path.name for path in cache.folder.iterdir() if path.name.startswith(".")] == []
    assert not left_by(losses[0])
    assert sum(shown) == 30, "films that were lost are not counted twice"


def test_an_engine_that_hangs_is_given_up_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"split": "train", "first": 0, "films": 60, "path": str(tmp_path / "films.npy")}

    def stop(films: int) -> None:
        monkeypatch.setattr(film_worker, "SILENCE", 2.0)
        if films:
            for process in processes_of(hung):
                os.kill(process, signal.SIGSTOP)

    lost = pytest.raises(LostFilmWorker, match="the engine did not answer for 2 s")
    with FilmWorker() as hung, lost:
        hung.render(SETTINGS | request, stop)
    assert hung._shared_memory and not left_by(hung)
    assert [*tmp_path.iterdir()] == []


def processes_of(lost: FilmWorker) -> list[int]:
    """Return the running processes of the worker and its engine."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(group) == lost._process.pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def left_by(lost: FilmWorker) -> list[int | str]:
    """Return what a film worker has not cleaned up."""
    return [*processes_of(lost), *filter(os.path.exists, lost._shared_memory)]


def test_a_killed_program_leaves_nothing_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """Film workers notice that their output is closed, and clean up."""
    (tmp_path / "temporary").mkdir()
    sizes = "train_size=40, val_size=1, test_size=1, num_workers=0"
    code = f"from datamodules import Rotation; Rotation(data_dir={str(tmp_path)!r}, {sizes})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-c", f"{code}.prepare_data()"]
    program = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def until(happened: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not happened():
            assert time.monotonic() < end
            time.sleep(0.1)

    until(lambda: any((tmp_path / "temporary").glob("rooms-*/rooms.wad")))
    program.kill()
    program.wait()
    until(lambda: not any((tmp_path / "temporary").glob("rooms-*")))
    data = Rotation(data_dir=str(tmp_path), train_size=40, val_size=1, test_size=1)
    data.prepare_data()
    assert data._cache.missing([*data._shards("train"), *data._shards("test")]) == []


def test_a_file_that_cannot_be_written_is_named_and_healed(tmp_path: Path) -> None:
    """The system's own error, of a folder in the file's place."""
    cache = FilmCache(tmp_path / "films", {"version": 1})
    shards = shards_of("train", 2)
    cache.path(shards[0]).mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as failure:
        complete(cache, shards, SETTINGS)
    assert failure.value.errno == errno.EISDIR
    assert failure.value.filename == str(cache.path(shards[0]))
    assert cache.missing(shards) == shards
    cache.path(shards[0]).rmdir()
    complete(cache, shards, SETTINGS)
    assert cache.missing(shards) == []


def test_a_film_worker_that_fails_says_why(tmp_path: Path) -> None:
    """It uses the parent's code, not that in the working directory."""
    Path("datamodules").mkdir()
    Path("datamodules/__init__.py").write_text("raise ValueError('another')", encoding="utf-8")
    cache = FilmCache(tmp_path / "films", {"version": 1})
    shards = shards_of("train", 2)
    why = "films 0 to 1 of train: the engine ended with status 1: KeyError: 'nowhere'"
    with pytest.raises(FilmingFailed, match=why):
        complete(cache, shards, SETTINGS | {"camera": "nowhere"})
    assert cache.missing(shards) == shards


def test_of_two_processes_at_once_one_renders(tmp_path: Path) -> None:
    sizes = "train_size=2, val_size=1, test_size=1, num_workers=0"
    code = f"from datamodules import Rotation; Rotation(data_dir={str(tmp_path)!r}, {sizes})"
    command = [sys.executable, "-c", f"{code}.prepare_data()"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8")
        for _ in range(2)
    ]
    said = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert said.count("Rendering 4 films") == 1


def test_the_command_renders_and_trains(tmp_path: Path) -> None:
    command = [sys.executable, "cli.py", "fit", "--config=conf/dnc_gtmm_rotation.yaml"]
    command += ["--data.train_size=8", "--data.val_size=4", "--data.test_size=4"]
    command += ["--data.num_workers=0", "--data.batch_size=2", f"--data.data_dir={tmp_path}"]
    command += ["--trainer.max_steps=2", f"--trainer.default_root_dir={tmp_path}/runs"]
    command += ["--model.controller_size=8"]
    environment = {**os.environ, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        command.append("--run=second")
    assert "Rendering" not in ended.stdout + ended.stderr, "once is enough"
    pictures = [*tmp_path.rglob("pictures/generations.png")]
    assert len(pictures) == 2
    shown = hashlib.sha256(pictures[0].read_bytes()).hexdigest()
    assert shown == hashlib.sha256(pictures[1].read_bytes()).hexdigest()
