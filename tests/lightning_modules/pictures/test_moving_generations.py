"""Films of what is generated: one picture a step, each with its own frames."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageSequence

from lightning_modules.pictures.generation_grid import Generation
from lightning_modules.pictures.moving_generations import moving_generations
from lightning_modules.pictures.style import DPI, HEADING_INCHES
from lightning_modules.records.picture_file import save_picture

#: Colour of the frame at each of three steps: red, green and blue.
TRUTH = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
GENERATED = torch.tensor([[1.0, 0, 0], [0, 0, 0], [1.0, 1.0, 0]])


def plain(colours: torch.Tensor) -> torch.Tensor:
    """Frames [3, 3, 4, 4] of one colour each."""
    return colours[:, :, None, None].expand(-1, -1, 4, 4)


@pytest.fixture
def film(tmp_path: Path) -> list[Image.Image]:
    """The pictures of a saved film of two sequences, of which the second is reversed."""
    truth, generated = plain(TRUTH), plain(GENERATED)
    sequences = [
        Generation(frames, frames, generated_frames, torch.full((3,), -1), prefix=1, old_age=5)
        for frames, generated_frames in ((truth, generated), (truth.flip(0), generated.flip(0)))
    ]
    path = tmp_path / "film.webp"
    save_picture(moving_generations(sequences, "Title", "Subtitle", "#0072B2"), path)
    with Image.open(path) as picture:
        return [each.convert("RGB") for each in ImageSequence.Iterator(picture)]


def seen(picture: Image.Image, row: int, column: int) -> torch.Tensor:
    """Colour in the middle of a panel, in [0, 1]; panels are 1.25 inches, 0.1 inches apart."""
    x = (0.95 + column * 1.35 + 0.6) * DPI
    y = (HEADING_INCHES + row * 1.35 + 0.6) * DPI
    return torch.tensor(picture.getpixel((round(x), round(y)))) / 255


def test_each_picture_shows_its_step(film: list[Image.Image]) -> None:
    assert len(film) == 3
    for t, picture in enumerate(film):
        for row, colours in enumerate((TRUTH, GENERATED)):
            for column, step in enumerate((t, 2 - t)):
                torch.testing.assert_close(
                    seen(picture, row, column), colours[step], atol=0.06, rtol=0
                )
