"""The reader of CelebA, on a zip of the same layout."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.sources import (
    FACES,
    SPLITS,
    UnreadableData,
    celeba,
    fetch_images,
    load_images,
    resolve_source,
)

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)
PARTITION = {"000001.jpg": 0, "000002.jpg": 2, "000003.jpg": 0, "000004.jpg": 1}


def jpeg(brightness: float, size: tuple[int, int] = (178, 218)) -> bytes:
    """Blue around the middle 148 x 148, which is red but for its green upper left quarter."""
    page = np.full((*size[::-1], 3), BLUE, np.float64)
    page[35:183, 15:163] = RED
    page[35:109, 15:89] = GREEN
    file = io.BytesIO()
    Image.fromarray((brightness * page).astype(np.uint8)).save(
        file, "jpeg", quality=95, subsampling=0
    )
    return file.getvalue()


def write(folder: Path, partition: dict[str, int], images: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / celeba.ARCHIVE, "w") as archive:
        archive.writestr("img_align_celeba/", "")
        for name, content in images.items():
            archive.writestr(f"img_align_celeba/{name}", content)
    lines = "".join(f"{name} {part}\n" for name, part in partition.items())
    (folder / celeba.PARTITION).write_text(lines, encoding="utf-8")


@pytest.fixture
def photographs() -> dict[str, bytes]:
    return {name: jpeg(0.25 * int(name[5])) for name in PARTITION}


@pytest.fixture
def data_dir(tmp_path: Path, photographs: dict[str, bytes]) -> Path:
    write(tmp_path / "celeba", PARTITION, photographs)
    return tmp_path


def test_splits_are_the_partitions_and_images_their_middles(data_dir: Path) -> None:
    train, val, test = (load_images("celeba", data_dir, s, FACES) for s in ("train", "val", "test"))
    assert [len(split.images) for split in (train, val, test)] == [2, 1, 1]
    assert train.images.shape == (2, 32, 32, 3) and train.images.dtype == np.uint8
    assert train.source == "celeba" and train.labels.tolist() == [0, 0]
    image = val.images[0].astype(int)
    for rows, columns, colour in (
        (slice(0, 15), slice(0, 15), GREEN),
        (slice(0, 32), slice(17, 32), RED),
        (slice(17, 32), slice(0, 32), RED),
    ):
        assert np.abs(image[rows, columns] - colour).max() < 25, "no blue, and nothing flipped"
    brightness = [image.max() for image in (*train.images, *test.images)]
    np.testing.assert_allclose(brightness, [55, 165, 110], atol=8)


def test_auto_takes_photographs_where_they_lie(data_dir: Path, tmp_path: Path) -> None:
    fetch_images("auto", data_dir, FACES)
    assert resolve_source("auto", data_dir, FACES) == "celeba"
    assert resolve_source("auto", tmp_path / "none", FACES) == "faces"


def test_a_split_is_decoded_once_and_again_when_the_files_change(data_dir: Path) -> None:
    first = load_images("celeba", data_dir, "train", FACES)
    decoded = data_dir / "celeba" / "train_32.npy"
    written = decoded.stat().st_mtime_ns
    again = load_images("celeba", data_dir, "train", FACES)
    assert decoded.stat().st_mtime_ns == written and again.sha256 == first.sha256
    assert sorted(path.name for path in decoded.parent.iterdir()) == sorted(
        [celeba.ARCHIVE, celeba.PARTITION, decoded.name]
    )
    write(data_dir / "celeba", {"a.jpg": 0}, {"a.jpg": jpeg(1)})
    os.utime(data_dir / "celeba" / celeba.ARCHIVE, ns=(written + 1, written + 1))
    assert len(load_images("celeba", data_dir, "train", FACES).images) == 1


@pytest.mark.parametrize("absent", [celeba.ARCHIVE, celeba.PARTITION])
def test_a_missing_file_is_one_clear_line(absent: str, data_dir: Path) -> None:
    (data_dir / "celeba" / absent).unlink()
    for ask in (fetch_images, resolve_source):
        with pytest.raises(ValueError) as error:
            ask("celeba", data_dir, FACES)
        assert str(error.value) == (
            "source must be auto or faces where CelebA can be neither found nor downloaded "
            f"({data_dir / 'celeba'} lacks {absent}), got celeba"
        )
    assert resolve_source("auto", data_dir, FACES) == "faces"


@pytest.mark.parametrize("damage", ["absent", "no zip", "no jpeg", "cut jpeg", "other size"])
def test_a_zip_without_what_the_partition_names_is_one_clear_line(
    damage: str, data_dir: Path, photographs: dict[str, bytes]
) -> None:
    folder = data_dir / "celeba"
    damaged = {"no jpeg": b"<html>", "cut jpeg": jpeg(1)[:900], "other size": jpeg(1, (178, 178))}
    photographs.pop("000003.jpg")
    if damage in damaged:
        photographs["000003.jpg"] = damaged[damage]
    write(folder, PARTITION, photographs)
    if damage == "no zip":
        (folder / celeba.ARCHIVE).write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError) as error:
        load_images("celeba", data_dir, "train", FACES)
    why = {
        "absent": "000003.jpg is missing",
        "no zip": "File is not a zip file",
        "no jpeg": "000003.jpg is not a JPEG",
        "cut jpeg": "000003.jpg is damaged",
        "other size": "000003.jpg has (178, 178) pixels, expected (178, 218)",
    }[damage]
    archive = folder / celeba.ARCHIVE
    assert str(error.value) == f"{archive} does not hold what {celeba.PARTITION} names: {why}"
    assert not list(folder.glob("*.npy")) and not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("000001.jpg 3\n", "is not CelebA's: it has an unexpected line '000001.jpg 3'"),
        ("<html>\n", "is not CelebA's: it has an unexpected line '<html>'"),
        ("000001.jpg 1\n", "is not CelebA's: it lists no image of part 0 (train)"),
        ("", "is not CelebA's: it lists no image of part 0 (train)"),
        ("a.jpg 0\na.jpg 2\n", "is not CelebA's: it lists a.jpg twice"),
    ],
)
def test_a_damaged_partition_is_one_clear_line(data_dir: Path, content: str, message: str) -> None:
    path = data_dir / "celeba" / celeba.PARTITION
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError) as error:
        load_images("celeba", data_dir, "train", FACES)
    assert str(error.value) == f"{path} {message}"


def unpack(folder: Path) -> None:
    """Unpack the zip beside itself, as torchvision does, and take it away."""
    with zipfile.ZipFile(folder / celeba.ARCHIVE) as archive:
        archive.extractall(folder)
    (folder / celeba.ARCHIVE).unlink()


def unpack_twice(folder: Path) -> None:
    """Unpack into a folder of the zip's name, with a Mac's file beside each photograph."""
    images = folder / "img_align_celeba"
    with zipfile.ZipFile(folder / celeba.ARCHIVE) as archive:
        archive.extractall(images)
    (folder / celeba.ARCHIVE).unlink()
    (images / ".DS_Store").write_bytes(b"mac")
    for image in list(images.rglob("*.jpg")):
        image.with_name(f"._{image.name}").write_bytes(b"mac")


def zip_on_a_mac(folder: Path) -> None:
    with zipfile.ZipFile(folder / celeba.ARCHIVE, "a") as archive:
        archive.writestr("__MACOSX/img_align_celeba/._000001.jpg", b"mac")
        archive.writestr("img_align_celeba/.DS_Store", b"mac")


def zip_without_a_folder(folder: Path) -> None:
    unpack(folder)
    with zipfile.ZipFile(folder / celeba.ARCHIVE, "w") as archive:
        for image in (folder / "img_align_celeba").iterdir():
            archive.write(image, image.name)


def as_the_authors_serve_it(folder: Path) -> None:
    for name, part in ((celeba.ARCHIVE, "Img"), (celeba.PARTITION, "Eval")):
        (folder / part).mkdir()
        (folder / name).rename(folder / part / name)


def as_kaggle_serves_it(folder: Path) -> None:
    unpack_twice(folder)
    lines = (folder / celeba.PARTITION).read_text(encoding="utf-8").splitlines()
    (folder / celeba.PARTITION).unlink()
    rows = ["image_id,partition", *(line.replace(" ", ",") for line in lines)]
    (folder / "list_eval_partition.csv").write_text("\r\n".join(rows), encoding="utf-8")
    for path in folder.iterdir():
        path.rename(folder.parent / path.name)


def saved_by_an_editor(folder: Path) -> None:
    partition = folder / celeba.PARTITION
    partition.write_text(partition.read_text(encoding="utf-8"), encoding="utf-8-sig")


@pytest.mark.parametrize(
    "change",
    [
        unpack,
        unpack_twice,
        zip_on_a_mac,
        zip_without_a_folder,
        as_the_authors_serve_it,
        as_kaggle_serves_it,
        saved_by_an_editor,
    ],
)
def test_celeba_is_the_same_however_it_lies(
    change: Callable[[Path], None], data_dir: Path, photographs: dict[str, bytes], tmp_path: Path
) -> None:
    expected = [load_images("celeba", data_dir, s, FACES).sha256 for s in SPLITS]
    other = tmp_path / "other"
    other.mkdir()
    write(other / "celeba", PARTITION, photographs)
    change(other / "celeba")
    assert resolve_source("auto", other, FACES) == "celeba"
    assert [load_images("celeba", other, s, FACES).sha256 for s in SPLITS] == expected


def test_a_damaged_copy_of_a_split_is_decoded_anew(data_dir: Path) -> None:
    first = load_images("celeba", data_dir, "train", FACES)
    decoded = data_dir / "celeba" / "train_32.npy"
    content = decoded.read_bytes()
    for damaged in (b"", content[:100], content[:-1], b"<html>", content.replace(b"|u1", b"|S1")):
        decoded.write_bytes(damaged)
        assert load_images("celeba", data_dir, "train", FACES).sha256 == first.sha256


def test_a_folder_that_cannot_be_written_is_read(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(celeba, "rank_zero_info", said.append)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(celeba, "replacing", refuse)
    assert len(load_images("celeba", data_dir, "train", FACES).images) == 2
    assert len(said) == 1 and "train_32.npy cannot be written (Permission denied)" in said[0]


def test_a_name_that_occurs_twice_is_refused(data_dir: Path) -> None:
    with zipfile.ZipFile(data_dir / "celeba" / celeba.ARCHIVE, "a") as archive:
        archive.writestr("img_celeba/000003.jpg", jpeg(1))
    with pytest.raises(UnreadableData, match=r"has 000003\.jpg twice, as img_align.* and img_"):
        load_images("celeba", data_dir, "train", FACES)
