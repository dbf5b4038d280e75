"""The film's file: what was saved comes back, and what is damaged is refused."""

from pathlib import Path

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
