"""The reader of Omniglot, on zips of the same layout."""

import hashlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.sources import (
    CHARACTERS,
    SPLITS,
    UnreadableData,
    fetch_images,
    load_images,
    omniglot,
)
from datamodules.sources.characters import held_out

CHARACTERS_OF = {"Greek": 5, "Runes": 4, "Two": 2}
DRAWERS = 4


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files whose download was tried; every one fails."""
    requests: list[str] = []

    def refuse(name: str, folder: Path) -> None:
        requests.append(name)
        (folder / name).write_bytes(b"half")
        raise ConnectionError("no network")

    monkeypatch.setattr(omniglot, "_retrieve", refuse)
    return requests


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


@pytest.mark.parametrize("place", ["omniglot", "omniglot-py", "omniglot/python", ""])
@pytest.mark.parametrize("state", ["packed", "unpacked", "unpacked twice", "packed on a Mac"])
def test_omniglot_is_the_same_however_it_lies(
    place: str, state: str, imitation: Path, tmp_path: Path
) -> None:
    expected = [load_images("omniglot", imitation, s, CHARACTERS).sha256 for s in SPLITS]
    folder = tmp_path / "other" / place
    folder.mkdir(parents=True)
    for name in omniglot.MD5:
        original = imitation / "omniglot" / name
        with zipfile.ZipFile(original, "a" if "Mac" in state else "r") as archive:
            if "Mac" in state:
                archive.writestr("__MACOSX/x/Greek/character01/._0001_01.png", b"mac")
                archive.writestr(f"{original.stem}/.DS_Store", b"mac")
                archive.writestr(f"{original.stem}/Greek/character01/._0001_01.png", b"mac")
            if "unpacked" in state:
                archive.extractall(folder / original.stem if "twice" in state else folder)
        if "Mac" in state or state == "packed":
            original.rename(folder / name)
    assert [load_images("omniglot", tmp_path / "other", s, CHARACTERS).sha256 for s in SPLITS] == (
        expected
    )


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a PNG"),
        (b"<html>", "is not a PNG"),
        (png(page("Two", 0, 0))[:60], "is damaged"),
        (png(np.ones((28, 28), bool)), "has (28, 28) pixels, expected (105, 105)"),
        (png(page("Two", 0, 0), "RGBA"), "has pixels of mode RGBA, expected 1 or L or RGB"),
        (png(page("Two", 0, 0)) + bytes(1 << 20), "is larger than 1,048,576 bytes"),
    ],
)
def test_a_damaged_drawing_is_named(content: bytes, reason: str, imitation: Path) -> None:
    name = "images_evaluation/Two/character01/0000_01.png"
    original = imitation / "omniglot" / "images_evaluation.zip"
    with zipfile.ZipFile(original) as archive:
        archive.extractall(imitation / "omniglot")
    (imitation / "omniglot" / name).write_bytes(content)
    original.unlink()
    with pytest.raises(UnreadableData) as error:
        load_images("omniglot", imitation, "test", CHARACTERS)
    folder, file = (imitation / "omniglot" / name).parents[2], name.partition("/")[2]
    assert str(error.value) == f"{folder} is not a complete set of drawings: {file} {reason}"


def test_a_zip_bomb_is_not_unpacked(imitation: Path) -> None:
    path = imitation / "omniglot" / "images_evaluation.zip"
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    bomb = "images_evaluation/Two/character01/0000_01.png"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, bytes(64 << 20) if name == bomb else content)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableData, match="0000_01.png is larger than 1,048,576 bytes"):
            load_images("omniglot", imitation, "test", CHARACTERS)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_a_rare_kind_is_refused(method: int, imitation: Path) -> None:
    path = imitation / "omniglot" / "images_evaluation.zip"
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(UnreadableData, match="is not deflated, but compressed in another way"):
        load_images("omniglot", imitation, "test", CHARACTERS)


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
