"""The reader of MNIST: when `auto` takes it, its downloads, and damaged files."""

import gzip
import hashlib
import threading
import tracemalloc
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datamodules.sources import (
    UnreadableData,
    fetch_images,
    load_images,
    mnist,
    mnist5k,
    resolve_source,
)
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
    requests: list[str] = []

    def refuse(mirror: str, name: str, folder: Path) -> None:
        requests.append(name)
        (folder / name).write_bytes(b"half")
        raise ConnectionError("no network")

    monkeypatch.setattr(mnist, "_retrieve", refuse)
    return requests


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
        digest = hashlib.sha256(header + read_idx(path, (60_000, 28, 28)).tobytes()).hexdigest()
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


def spell(folder: Path, gzipped: bool, dotted: bool) -> None:
    """Rename and compress the four files of a folder."""
    for path in list(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        path = folder / (f"{name}.gz" if gzipped else name)
        path.write_bytes(gzip.compress(content, 1) if gzipped else content)


@pytest.mark.parametrize(
    ("place", "gzipped", "dotted"),
    [("MNIST/raw", True, False), ("MNIST/raw", False, False), ("mnist", False, True), ("", 1, 1)],
)
def test_mnist_is_found_however_it_lies(
    place: str, gzipped: bool, dotted: bool, imitation: Path, no_network: list[str], lines: list
) -> None:
    expected = load_images("mnist", imitation, "test").sha256
    spell(imitation / "mnist", gzipped, dotted)
    other = imitation / "other"
    (other / place).parent.mkdir(parents=True, exist_ok=True)
    (imitation / "mnist").rename(other / place)
    fetch_images("auto", other)
    assert load_images("auto", other, "test").sha256 == expected and not no_network
    assert lines == [f"source auto: using mnist, the 70,000 digits in {other / place}"]


def test_a_gzipped_file_without_the_ending_is_read(imitation: Path) -> None:
    expected = load_images("mnist", imitation, "test").sha256
    path = imitation / "mnist" / "t10k-images-idx3-ubyte"
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    assert load_images("mnist", imitation, "test").sha256 == expected


def test_a_folder_of_a_files_name_is_no_file(imitation: Path) -> None:
    """Kaggle's archive has both."""
    name = "t10k-images-idx3-ubyte"
    (imitation / "mnist" / name).rename(imitation / "mnist" / "t10k-images.idx3-ubyte")
    (imitation / "mnist" / name).mkdir()
    assert mnist.missing_files(imitation) == []


def header(kind: int, *sizes: int) -> bytes:
    return bytes([0, 0, kind, len(sizes)]) + np.array(sizes, ">u4").tobytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it begins with nothing, which is not an IDX magic number"),
        (b"<html>", "it begins with 3c68746d, which is not an IDX magic number"),
        (header(8)[:3], "it begins with 000008, which is not an IDX magic number"),
        (header(13, 10_000), "it holds 32-bit floats, expected unsigned bytes"),
        (header(8, 10_000)[:6], "its header is cut off"),
        (header(8), "it holds no values, expected 10000"),
        (header(8, 10_000, 28), "it holds 10000 x 28 values, expected 10000"),
        (
            header(8, 10_000) + bytes(9_999),
            "its header promises 10,000 values, but it holds only 9,999",
        ),
        (header(8, 10_000) + bytes(10_001), "its header promises 10,000 values, but it holds more"),
        (gzip.compress(header(8, 10_000), mtime=0)[:-9], "its gzip stream is cut off or damaged"),
        (b"\x1f\x8bgzip", "its gzip stream is cut off or damaged"),
    ],
)
def test_a_damaged_file_is_one_line_that_says_why(
    content: bytes, reason: str, imitation: Path
) -> None:
    path = imitation / "mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(UnreadableData) as error:
        load_images("mnist", imitation, "test")
    message = str(error.value)
    assert message.startswith(f"{path} is not a complete IDX file: {reason}") and (
        "\n" not in message
    )


def test_labels_of_other_classes_are_refused(imitation: Path) -> None:
    path = imitation / "mnist" / "t10k-labels-idx1-ubyte"
    write_idx(path, np.arange(10_000) % 47)
    with pytest.raises(UnreadableData, match=f"^{path} is not MNIST's: it has a label 46$"):
        load_images("mnist", imitation, "test")


def test_a_gzip_bomb_is_not_unpacked(imitation: Path) -> None:
    path = imitation / "mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(gzip.compress(header(8, 10_000) + bytes(64 << 20), 9))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableData, match="promises 10,000 values, but it holds more"):
            read_idx(path, (10_000,))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_auto_says_what_it_looked_for(tmp_path: Path, lines: list[str], imitation: Path) -> None:
    (imitation / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    assert resolve_source("auto", imitation) == "mnist5k"
    resolve_source("auto", tmp_path / "none")
    using = "source auto: using mnist5k, the 5,000 embedded digits: MNIST was not downloaded, and"
    assert lines == [
        f"{using} {imitation} lacks t10k-labels-idx1-ubyte (gzipped or not, also named "
        "*.idx3-ubyte and *.idx1-ubyte; looked in it and in its mnist/, MNIST/raw/, mnist/raw/)",
        f"{using} there is no folder {tmp_path / 'none'}",
    ]


def test_a_download_that_breaks_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server announces a thousand bytes, sends ten and closes."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"0123456789")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(mnist, "MIRRORS", (url, url))
        with pytest.raises(ValueError, match="can be neither found nor downloaded"):
            fetch_images("mnist", tmp_path / "data")
        server.shutdown()
    assert list(tmp_path.iterdir()) == []
