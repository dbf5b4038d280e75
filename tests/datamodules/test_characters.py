"""Drawn characters: what is held out, Omniglot's zips, simulated hands, one-shot recall."""

import hashlib
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import MNISTMaze, OneShotRecall, PerfectRecall
from datamodules.sources import CHARACTERS, fetch_images, glyphs, load_images, omniglot, select
from datamodules.sources.characters import held_out

CHARACTERS_OF = {"Greek": 5, "Runes": 4, "Two": 2}
DRAWERS = 4


@pytest.fixture(autouse=True)
def few_drawers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "DRAWERS", DRAWERS)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the choice of the source prints."""
    said: list[str] = []
    monkeypatch.setattr(select, "rank_zero_info", said.append)
    return said


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every download fails; the names that were asked for."""
    asked: list[str] = []

    def refuse(name: str, folder: Path) -> None:
        asked.append(name)
        (folder / name).write_bytes(b"half")
        raise ConnectionError("no network")

    monkeypatch.setattr(omniglot, "_retrieve", refuse)
    return asked


def page(alphabet: str, character: int, drawer: int) -> np.ndarray:
    """A page of 7 x 7 blocks, two of them ink, that say which drawing it is; True is white."""
    white = np.ones((7, 7), dtype=bool)
    white[character, drawer] = white[6, list(CHARACTERS_OF).index(alphabet)] = False
    return white.repeat(15, 0).repeat(15, 1)


def write_zip(path: Path, alphabets: dict[str, int]) -> int:
    """Write a zip of Omniglot's layout; returns the number of drawings."""
    drawings = [(a, c, d) for a, n in alphabets.items() for c in range(n) for d in range(DRAWERS)]
    with zipfile.ZipFile(path, "w") as archive:
        for alphabet, c, d in drawings[::-1]:
            png = io.BytesIO()
            Image.fromarray(page(alphabet, c, d)).save(png, "png")
            name = f"{alphabet}/character{c + 1:02d}/0{c}00_{d + 1:02d}.png"
            archive.writestr(f"{path.stem}/{name}", png.getvalue())
        archive.writestr(f"{path.stem}/README.txt", "no drawing")
    return len(drawings)


@pytest.fixture
def imitation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two small zips of Omniglot's layout."""
    (tmp_path / "omniglot").mkdir()
    for name, alphabets in zip(omniglot.MD5, ({"Greek": 5, "Runes": 4}, {"Two": 2}), strict=True):
        size = write_zip(tmp_path / "omniglot" / name, alphabets)
        monkeypatch.setitem(omniglot.PUBLISHED_SIZE, name, size)
    return tmp_path


@pytest.fixture(params=["glyphs", "omniglot"])
def drawn(request: pytest.FixtureRequest, real_data: Path) -> dict:
    """Settings of every source of characters that this machine can read."""
    if request.param == "omniglot" and omniglot.missing_files(real_data):
        pytest.skip("Omniglot is not beside the repository")
    return {"source": request.param, "data_dir": str(real_data)}


def test_three_characters_of_each_alphabet_are_held_out_by_their_hashes() -> None:
    names = tuple(f"{alphabet}/{i}" for alphabet in ("A", "B") for i in range(9))
    chosen = [names[number] for number in held_out(names)]
    assert Counter(name[0] for name in chosen) == {"A": 3, "B": 3}
    ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    for alphabet in ("A", "B"):
        first = [name for name in ranked if name[0] == alphabet][:3]
        assert set(first) == {name for name in chosen if name[0] == alphabet}
    shuffled = names[::-1]
    assert {shuffled[number] for number in held_out(shuffled)} == set(chosen)


def test_omniglot_is_read_as_it_lies_in_its_zips(imitation: Path) -> None:
    parts = [load_images("omniglot", imitation, s, CHARACTERS) for s in ("train", "val", "test")]
    names = parts[0].names
    numbered = ((a, i) for a, count in CHARACTERS_OF.items() for i in range(1, count + 1))
    assert names == tuple(f"{alphabet}/character{i:02d}" for alphabet, i in numbered)
    unseen = set(held_out(names))
    assert [len(part.labels) for part in parts] == [(11 - 8) * 2, (11 - 8) * 2, 8 * 4]
    assert set(parts[0].labels) == set(parts[1].labels) == set(range(11)) - unseen
    assert set(parts[2].labels) == unseen
    for part in parts:
        assert part.images.dtype == np.uint8 and part.images.shape[1:] == (28, 28)
        assert part.labels.dtype == np.int64 and part.source == "omniglot" and part.names == names
        for image, label in zip(part.images, part.labels, strict=True):
            alphabet, character = names[label].split("/")
            pages = [page(alphabet, int(character[-2:]) - 1, drawer) for drawer in range(DRAWERS)]
            # Box averaging: 15 of 105 pixels are exactly 4 of 28.
            expected = [np.where(p[::15, ::15], 0, 255).repeat(4, 0).repeat(4, 1) for p in pages]
            assert sum(np.array_equal(image, one) for one in expected) == 1


def test_the_last_two_drawers_validate(imitation: Path) -> None:
    for split, drawers in {"train": {0, 1}, "val": {2, 3}}.items():
        part = load_images("omniglot", imitation, split, CHARACTERS)
        columns = part.images[:, :24].max(axis=1).argmax(axis=1) // 4
        assert set(columns) == drawers


def test_the_real_omniglot_has_its_published_size(real_data: Path) -> None:
    if omniglot.missing_files(real_data):
        pytest.skip("Omniglot is not beside the repository")
    parts = {s: load_images("omniglot", real_data, s, CHARACTERS) for s in ("train", "val", "test")}
    sizes = {split: len(part.labels) for split, part in parts.items()}
    # One drawing to validate with is the same as one to train with, to the pixel.
    assert sizes == {"train": 1_473 * 18, "val": 1_473 * 2 - 1, "test": 150 * 20}
    assert len(parts["test"].names) == 1_623
    assert len({name.partition("/")[0] for name in parts["test"].names}) == 50
    assert 0.05 < parts["train"].images.mean() / 255 < 0.1, "ink is bright on black"


@pytest.mark.parametrize("damage", ["truncated", "not a zip", "empty", "damaged png", "wrong size"])
def test_a_damaged_zip_is_named(damage: str, imitation: Path) -> None:
    path = imitation / "omniglot" / "images_evaluation.zip"
    content = path.read_bytes()
    if damage == "wrong size":
        write_zip(path, {"Two": 1})
    elif damage == "damaged png":
        start = content.index(b"\x89PNG")
        path.write_bytes(content[: start + 40] + bytes(20) + content[start + 60 :])
    else:
        kept = {"truncated": content[: len(content) // 2], "empty": b""}
        path.write_bytes(kept.get(damage, b"<html>not found</html>"))
    with pytest.raises(ValueError, match=str(path)) as error:
        load_images("omniglot", imitation, "test", CHARACTERS)
    assert "\n" not in str(error.value)


def test_auto_takes_omniglot_where_it_lies_and_says_so(
    imitation: Path, lines: list[str], no_network: list[str]
) -> None:
    fetch_images("auto", imitation, CHARACTERS)
    assert load_images("auto", imitation, "val", CHARACTERS).source == "omniglot"
    assert not no_network and len(lines) == 1 and "using omniglot," in lines[0]


def test_auto_without_network_takes_glyphs_and_says_so(
    tmp_path: Path, lines: list[str], no_network: list[str]
) -> None:
    data_dir = tmp_path / "data"
    fetch_images("auto", data_dir, CHARACTERS)
    assert load_images("auto", data_dir, "test", CHARACTERS).source == "glyphs"
    assert len(lines) == 1 and "using glyphs," in lines[0] and "Omniglot" in lines[0]
    assert len(no_network) == 1 and list(tmp_path.iterdir()) == []


def test_omniglot_that_cannot_be_had_is_one_clear_line(tmp_path: Path, no_network) -> None:
    with pytest.raises(ValueError, match="^source must be auto or glyphs where .*, got omniglot$"):
        fetch_images("omniglot", tmp_path, CHARACTERS)


def test_downloads_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror is a folder: what matches arrives, and one wrong file keeps all away."""
    contents = {name: name.encode() for name in omniglot.MD5}

    def retrieve(url: str, md5: str, folder: Path) -> None:
        name = url.removeprefix(omniglot.MIRROR)
        if hashlib.md5(contents[name]).hexdigest() != md5:
            raise ValueError("checksum")
        (folder / name).write_bytes(contents[name])

    monkeypatch.setattr(omniglot, "retrieve", retrieve)
    for name, content in contents.items():
        monkeypatch.setitem(omniglot.MD5, name, hashlib.md5(content).hexdigest())
    contents["images_evaluation.zip"] = b"tampered"
    with pytest.raises(ValueError, match="got omniglot$"):
        fetch_images("omniglot", tmp_path, CHARACTERS)
    assert list(tmp_path.iterdir()) == []
    contents["images_evaluation.zip"] = b"images_evaluation.zip"
    fetch_images("omniglot", tmp_path, CHARACTERS)
    assert sorted(p.name for p in (tmp_path / "omniglot").iterdir()) == sorted(omniglot.MD5)


@pytest.fixture(scope="module")
def letters() -> tuple[tuple[str, ...], np.ndarray]:
    return glyphs.distinct_letters()


def test_glyphs_are_distinct_letters_of_fifteen_scripts(letters) -> None:
    names, masters = letters
    scripts = Counter(name.partition("/")[0] for name in names)
    assert len(scripts) == 15 and min(scripts.values()) > 3
    assert len(set(names)) == len(names) == len(masters) > 1_200
    assert list(names) == sorted(names)
    flat = masters.reshape(len(masters), -1)[::4]
    overlap = (flat @ flat.T) / np.sqrt(np.outer((flat**2).sum(1), (flat**2).sum(1)))
    assert (overlap - np.eye(len(flat))).max() < 0.975, "no letter twice"


def test_hands_are_deterministic_and_differ(letters) -> None:
    some = letters[1][::40]
    one, again, other = (glyphs.draw(some, drawer) for drawer in (1, 1, 2))
    assert np.array_equal(one, again) and one.dtype == np.uint8
    difference = np.abs(one.astype(float) - other).mean((1, 2))
    assert (difference > 0).all() and difference.mean() > 8
    ink = one.mean((1, 2)) / 255
    assert (ink > 0.01).all() and 0.05 < ink.mean() < 0.2


def test_a_glyph_looks_more_like_itself_than_like_others(letters) -> None:
    """Of 128 drawings by another hand, the nearest is often of the same letter."""
    hands = [glyphs.draw(letters[1][::10], d).reshape(-1, 784).astype(np.float32) for d in (1, 2)]
    distance = ((hands[0][:, None] - hands[1]) ** 2).sum(-1)
    right = (distance.argmin(1) == np.arange(len(distance))).mean()
    assert right > 0.4


def make(**settings) -> OneShotRecall:
    small = {"train_size": 300, "val_size": 100, "test_size": 100}
    built = OneShotRecall(**{**small, **settings})
    built.setup()
    return built


def test_test_characters_never_occur_in_training_or_validation(drawn: dict) -> None:
    task = make(**drawn)
    splits = {split: task.dataset(split) for split in ("train", "val", "test")}
    labels = {split: set(d.labels.tolist()) for split, d in splits.items()}
    assert labels["train"] == labels["val"] and not labels["train"] & labels["test"]
    names = splits["test"].names
    assert labels["train"] | labels["test"] == set(range(len(names)))
    alphabets = Counter(names[label].partition("/")[0] for label in labels["test"])
    assert set(alphabets.values()) == {3}
    assert set(alphabets) == {name.partition("/")[0] for name in names}
    images = {s: {i.numpy().tobytes() for i in d.images} for s, d in splits.items()}
    assert not images["test"] & images["train"] and not images["test"] & images["val"]
    assert not images["train"] & images["val"]
    # What sequences really show, by bytes and by label.
    for split, dataset in splits.items():
        batch = dataset.__getitems__(range(100))
        shown = {f.numpy().tobytes() for f in (batch.frames.flatten(0, 2) * 255).round().byte()}
        assert shown <= images[split] and set(batch.labels.unique().tolist()) <= labels[split]
    record = task.data_record()
    assert record["source"] == drawn["source"]
    assert record["test_characters"].startswith(f"{len(labels['test'])} held out: ")
    listed = record["test_characters"].partition(": ")[2].split(", ")
    assert listed == sorted(names[label] for label in labels["test"])


def test_one_shot_recall_is_perfect_recall_of_characters(drawn: dict) -> None:
    task = make(**drawn)
    assert (task.sequence_length, task.action_size, task.frame_shape) == (25, 0, (1, 28, 28))
    for split in ("train", "val", "test"):
        batch = task.dataset(split).__getitems__(range(100))
        assert batch.frames.dtype == torch.float32 and batch.frames.max() == 1
        assert batch.actions.shape == (100, 25, 0) and batch.actions.dtype == torch.float32
        assert torch.equal(batch.frames[:, 20:], batch.frames[:, :5])
        assert torch.equal(batch.labels[:, 20:], batch.labels[:, :5])
        expected = torch.tensor([-1] * 20 + [0, 1, 2, 3, 4]).expand(100, 25)
        assert torch.equal(batch.recalled_from, expected)
    assert make(**drawn).data_record() == task.data_record()


@pytest.mark.parametrize(
    ("task", "source", "choices"),
    [
        (OneShotRecall, "mnist", "auto, omniglot, glyphs"),
        (PerfectRecall, "glyphs", "auto, mnist, mnist5k"),
        (MNISTMaze, "omniglot", "auto, mnist, mnist5k"),
    ],
)
def test_a_source_of_another_kind_is_refused(task: type, source: str, choices: str) -> None:
    with pytest.raises(ValueError) as error:
        task(source=source)
    assert str(error.value) == f"source must be one of {choices}, got {source}"
