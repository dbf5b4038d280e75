"""Damage to a run's folder: to one or two of its files, or to the folder itself."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzzing.values import damaged_json, damaged_table, damaged_yaml

Damage = Callable[[Path, Random], None]


def damage(folder: Path, random: Random) -> str:
    """Damage a run's folder, and say how."""
    said = []
    for _ in range(random.choice((1, 1, 1, 2))):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        # Of pictures there are many, and all are read in one way.
        files = [f for f in files if f.suffix != ".png" or random.random() < 0.1] or files
        if not files or random.random() < 0.03:
            what = random.choice((shuffle_names, replace_pictures, loop))
            what(folder, random)
            said.append(what.__name__)
            continue
        file = random.choice(files)
        own = OF_CONTENT.get(file.suffix)
        what = own if own is not None and random.random() < 0.7 else random.choice(OF_BYTES)
        try:
            what(file, random)
        except Exception:
            what = vanish  # the first damage left nothing of the form that the second needs
            what(file, random)
        said.append(f"{what.__name__} {file.relative_to(folder)}")
    return ", ".join(said)


def flip(file: Path, random: Random) -> None:
    """Flip some bits."""
    content = bytearray(file.read_bytes() or b"\0")
    for _ in range(random.choice((1, 1, 10, 200))):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    file.write_bytes(content)


def cut(file: Path, random: Random) -> None:
    """Keep the beginning."""
    content = file.read_bytes()
    file.write_bytes(content[: random.randrange(len(content) + 1)])


def insert(file: Path, random: Random) -> None:
    """Put foreign bytes somewhere."""
    content = file.read_bytes()
    place = random.randrange(len(content) + 1)
    foreign = random.choice(
        (
            b"\xff",
            b"\0",
            b"\xef\xbb\xbf",
            b"\n\n",
            b'"',
            b"{",
            random.randbytes(99),
            b"\xed\xa0\x80",
        )
    )
    file.write_bytes(content[:place] + foreign + content[place:])


def replace(file: Path, random: Random) -> None:
    """Put something else in its place: nothing, noise, another file, text in another encoding."""
    other = random.choice([path for path in sorted(file.parent.iterdir()) if path.is_file()])
    text = file.read_bytes().decode("latin-1")
    contents = (b"", b"\n", b"null", b"[]", random.randbytes(500), other.read_bytes())
    file.write_bytes(random.choice((*contents, text.encode("utf-16"), b"[" * 99_999, b"1" * 9_999)))


def no_file(file: Path, random: Random) -> None:
    """Put in its place what is no file, or cannot be read."""
    file.unlink()
    kind = random.randrange(7)
    if kind == 0:
        file.mkdir()
    elif kind == 1:
        (file / "inside").mkdir(parents=True)
    elif kind == 2:
        os.mkfifo(file)
    elif kind < 6:
        # A link to nothing, to itself, to what never ends; the last cannot be read by anybody.
        file.symlink_to(("nowhere", file.name, "/dev/zero")[kind - 3])
    else:
        file.symlink_to("/proc/self/mem")


def vanish(file: Path, random: Random) -> None:
    """Remove it."""
    file.unlink()


def other_json(file: Path, random: Random) -> None:
    """Change values."""
    _rewrite(file, damaged_json(_text(file), random))


def other_yaml(file: Path, random: Random) -> None:
    """Change values."""
    _rewrite(file, damaged_yaml(_text(file), random))


def other_table(file: Path, random: Random) -> None:
    """Change cells and columns."""
    _rewrite(file, damaged_table(_text(file), random))


def other_arrays(file: Path, random: Random) -> None:
    """Change shapes, types and values of a film."""
    with np.load(file) as content:
        arrays = dict(content)
    for name in random.sample(sorted(arrays), random.choice((1, 1, 2))):
        arrays[name] = _other_array(arrays[name], random)
    if random.random() < 0.1:
        arrays.pop(random.choice(sorted(arrays)))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    file.write_bytes(buffer.getvalue())


def _other_array(array: Any, random: Random) -> Any:
    numbers = np.resize(array, array.shape).astype(float)
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: array[:-1],
        lambda: array[:0],
        lambda: array[..., :0],
        lambda: array[None],
        lambda: array.ravel(),
        lambda: np.array(3),
        lambda: np.moveaxis(array, 0, -1),
        lambda: np.concatenate([array, array], axis=-1),
        lambda: array.astype(random.choice(("c16", "U8", "?", "f8", "i8", "u2", "M8[s]", "S3"))),
        lambda: array.astype(object),
        lambda: np.zeros(3, dtype=[("a", "f4"), ("b", "i2")]),
        lambda: np.where(numbers > 0, np.nan, numbers),
        lambda: numbers * random.choice((-1, 1e9, np.inf, 1e300)),
        lambda: (numbers * 0 + random.choice((99, -7, 2**14))).astype(array.dtype),
    )
    return random.choice(kinds)()


def other_picture(file: Path, random: Random) -> None:
    """Write a picture of another kind."""
    kinds = (("P", (9, 9)), ("1", (1, 1)), ("I;16", (5, 2)), ("LA", (3000, 1)), ("RGBA", (1, 9000)))
    Image.new(*random.choice(kinds)).save(file)


def shuffle_names(folder: Path, random: Random) -> None:
    """Give two files each other's names."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    if len(files) > 1:
        first, second = random.sample(files, 2)
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)


def replace_pictures(folder: Path, random: Random) -> None:
    """Put a file in the place of the folder of pictures."""
    shutil.rmtree(folder / "pictures", ignore_errors=True)
    if not (folder / "pictures").exists():
        (folder / "pictures").write_bytes(b"")


def loop(folder: Path, random: Random) -> None:
    """Put links into the folder that lead back to it, and take what makes it a run."""
    for name in ("results.json", "metrics.csv"):
        file = folder / name
        if file.is_file() or file.is_symlink():
            file.unlink()
    for name in ("again", "and_again"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to("..")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _rewrite(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))


OF_BYTES: tuple[Damage, ...] = (flip, flip, cut, insert, insert, replace, no_file, vanish)
OF_CONTENT: dict[str, Damage] = {
    ".json": other_json,
    ".yaml": other_yaml,
    ".csv": other_table,
    ".npz": other_arrays,
    ".png": other_picture,
}
