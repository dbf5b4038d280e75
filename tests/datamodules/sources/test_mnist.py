"""The reader of MNIST: when `auto` takes it, its downloads, and damaged files."""

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datamodules.sources import fetch_images, load_images, mnist, mnist5k, resolve_source
from datamodules.sources.idx import read_idx

TRAIN_SHA256 = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write unsigned bytes as an unzipped IDX file."""
    sizes = np.array(values.shape, dtype=">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


@pytest.fixture
def imitation(tmp_path: Path) -> Path:
    """A folder with MNIST's layout and sizes; the digits are the embedded ones, repeated."""
    folder = tmp_path / mnist.FOLDER
    folder.mkdir()
    digits = mnist5k.read("train")
    for part, count in mnist.PUBLISHED_SIZE.items():
        rows = np.arange(count) % len(digits.labels)
        write_idx(folder / f"{part}-images-idx3-ubyte", digits.images[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte", digits.labels[rows])
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files whose download was tried; every one fails."""
    asked: list[str] = []

    def refuse(mirror: str, name: str, folder: Path) -> None:
        asked.append(name)
        (folder / name).write_bytes(b"half")
        raise ConnectionError("no network")

    monkeypatch.setattr(mnist, "_retrieve", refuse)
    return asked


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """A mirror on this machine, after one that is dead; it serves four tiny files."""
    folder = tmp_path_factory.mktemp("mirror")
    for name in mnist.MD5:
        content = gzip.compress(name.encode())
        (folder / f"{name}.gz").write_bytes(content)
        monkeypatch.setitem(mnist.MD5, name, hashlib.md5(content).hexdigest())
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = ("http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(mnist, "MIRRORS", urls)
        yield folder
        server.shutdown()


def test_the_real_training_images_are_the_published_ones(real_data: Path) -> None:
    path = real_data / "mnist" / "train-images-idx3-ubyte.gz"
    if path.exists():
        header = bytes([0, 0, 8, 3]) + np.array([60_000, 28, 28], ">u4").tobytes()
        digest = hashlib.sha256(header + read_idx(path).tobytes()).hexdigest()
        assert digest == TRAIN_SHA256


def test_auto_takes_mnist_where_it_lies_and_says_so(
    imitation: Path, lines: list[str], no_network: list[str]
) -> None:
    fetch_images("auto", imitation)
    digits = load_images("auto", imitation, "val")
    assert digits.source == "mnist" and digits.images.shape == (5_000, 28, 28)
    assert not no_network, "what lies on disk is not downloaded, whatever its checksum"
    assert len(lines) == 1 and "using mnist," in lines[0]


def test_auto_without_network_takes_the_embedded_digits_and_says_so(
    tmp_path: Path, lines: list[str], no_network: list[str]
) -> None:
    data_dir = tmp_path / "data"
    fetch_images("auto", data_dir)
    assert load_images("auto", data_dir, "test").source == "mnist5k"
    assert len(lines) == 1 and "using mnist5k" in lines[0] and "\n" not in lines[0]
    assert len(no_network) == len(mnist.MIRRORS), "each mirror is given up at its first failure"
    assert list(tmp_path.iterdir()) == [], "a failed attempt leaves nothing behind"


@pytest.mark.parametrize("ask", [fetch_images, resolve_source])
def test_mnist_that_cannot_be_had_is_one_clear_line(ask, tmp_path: Path, no_network) -> None:
    with pytest.raises(
        ValueError, match="^source must be auto or mnist5k where .*, got mnist$"
    ) as e:
        ask("mnist", tmp_path)
    assert str(tmp_path / "mnist") in str(e.value) and "\n" not in str(e.value)


def test_download_falls_back_to_the_second_mirror(mirror: Path, tmp_path: Path) -> None:
    fetch_images("mnist", tmp_path / "new" / "data")
    arrived = sorted(path.name for path in (tmp_path / "new" / "data" / "mnist").iterdir())
    assert arrived == sorted(f"{name}.gz" for name in mnist.MD5)


def test_a_wrong_checksum_leaves_nothing_behind(
    mirror: Path, tmp_path: Path, lines: list[str]
) -> None:
    (mirror / "t10k-images-idx3-ubyte.gz").write_bytes(b"tampered")
    fetch_images("auto", tmp_path)
    assert resolve_source("auto", tmp_path) == "mnist5k"
    assert list(tmp_path.iterdir()) == [] and len(lines) == 1


def test_download_keeps_the_files_that_are_there(mirror: Path, tmp_path: Path) -> None:
    own = tmp_path / "mnist" / "train-images-idx3-ubyte"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    fetch_images("mnist", tmp_path)
    assert own.read_bytes() == b"mine" and not own.with_suffix(".gz").exists()
    assert mnist.missing_files(tmp_path) == []


@pytest.mark.parametrize("damage", ["truncated", "gzip cut", "not idx", "empty", "wrong size"])
def test_a_damaged_file_is_named(damage: str, imitation: Path, lines: list[str]) -> None:
    path = imitation / "mnist" / "t10k-labels-idx1-ubyte"
    content = path.read_bytes()
    if damage == "gzip cut":
        path.unlink()
        path = path.with_name(path.name + ".gz")
        content = gzip.compress(content)
    if damage == "wrong size":
        write_idx(path, np.zeros(9))
    else:
        kept = {"not idx": b"<html>not found</html>", "empty": b""}
        path.write_bytes(kept.get(damage, content[: len(content) // 2]))
    with pytest.raises(ValueError, match=str(path)) as error:
        load_images("auto", imitation, "test")
    assert "\n" not in str(error.value)
