"""The film file: films survive a round trip, and damaged files are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_modules.records.film_file import Film, NoFilm, load_film, save_film


@pytest.fixture
def film() -> Film:
    read, write = torch.rand(5, 2, 3), torch.rand(5, 1, 3)
    return Film(read, write, torch.tensor([-1, 0, -1, 2, 1]), torch.rand(5, 1, 4, 4))


def test_it_comes_back(tmp_path: Path, film: Film):
    save_film(film, tmp_path / "memory_film.npz")
    found = load_film(tmp_path / "memory_film.npz")
    torch.testing.assert_close(found.read, film.read, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.write, film.write, atol=1e-3, rtol=0)
    assert found.recalled_from.tolist() == [-1, 0, -1, 2, 1]
    torch.testing.assert_close(found.frames, film.frames, atol=1 / 255, rtol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["memory_film.npz"]


@pytest.mark.parametrize("content", [b"", b"PK half", b"\x93NUMPY"])
def test_what_is_damaged_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "film").write_bytes(content)
    with pytest.raises(NoFilm, match="is damaged"):
        load_film(tmp_path / "film")


def test_damaged_numbers_are_refused(tmp_path: Path, film: Film):
    path = tmp_path / "film.npz"
    save_film(film, path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 4
    content[middle : middle + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(NoFilm, match="is damaged"):
        load_film(path)


def written(path: Path, **changes: Any) -> Path:
    """A film of 4 steps with other arrays."""
    arrays = {
        "read": np.full((4, 2, 3), 0.25, np.float16),
        "write": np.full((4, 1, 3), 0.25, np.float16),
        "recalled_from": np.array([-1, -1, 0, 1], np.int16),
        "frames": np.zeros((4, 1, 5, 5), np.uint8),
    }
    np.savez_compressed(path, **{**arrays, **changes})
    return path


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"read": np.zeros((4, 3), np.float16)}, "read has shape \\(4, 3\\)"),
        ({"write": np.zeros((4, 1, 3), np.complex64)}, "write has .* type complex64"),
        ({"frames": np.zeros((4, 1, 5, 5))}, "frames has .* type float64"),
        ({"read": np.zeros((3, 2, 3), np.float16)}, "shapes do not match"),
        ({"write": np.zeros((4, 1, 2), np.float16)}, "shapes do not match"),
        ({"frames": np.zeros((4, 2, 5, 5), np.uint8)}, "shapes do not match"),
        ({"read": np.zeros((4, 0, 3), np.float16)}, "no read head"),
        ({"frames": np.zeros((4, 1, 0, 5), np.uint8)}, "no pixel"),
        ({"read": np.full((4, 2, 3), np.nan, np.float16)}, "read has weights"),
        ({"write": np.full((4, 1, 3), -0.5, np.float16)}, "write has weights"),
        ({"recalled_from": np.array([-1, 1, 0, 1], np.int16)}, "recalled from no earlier step"),
        ({"recalled_from": np.array([-1, -2, 0, 1], np.int16)}, "recalled from no earlier step"),
        ({"recalled_from": np.array([None, 1, 0, 1])}, "was not written by `test`"),
    ],
)
def test_films_of_other_shapes_types_and_values_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
):
    assert len(load_film(written(tmp_path / "film.npz")).frames) == 4
    with pytest.raises(NoFilm, match=reason):
        load_film(written(tmp_path / "film.npz", **changes))


def test_a_core_that_writes_no_single_steps_has_a_film(tmp_path: Path):
    film = load_film(written(tmp_path / "film.npz", write=np.zeros((4, 0, 3), np.float16)))
    assert film.write.shape == (4, 0, 3)
