"""Sequences of recall tasks, as numbers of pictures instead of pixels.

A picture's identity is its number in the split, found by its bytes.
"""

from collections.abc import Callable
from typing import NamedTuple

from datamodules import FrameSequences, SequenceDataModule
from datamodules.frames.recall import RecallDataModule

Make = Callable[..., RecallDataModule]
#: l and k.
SIZES = [(10, 5), (20, 5), (11, 9)]
SEQUENCES = 400


class Seen(NamedTuple):
    """One sequence: pictures, labels, and what the batch says of each step."""

    pictures: list[int]
    labels: list[int]
    recalled_from: list[int]
    place: list[int]


class Pictures(NamedTuple):
    """Pictures that a sequence of a split may draw."""

    number: dict[bytes, int]
    labels: list[int]


def pictures_of(task: SequenceDataModule, split: str) -> Pictures:
    dataset = task.dataset(split)  # type: ignore[arg-type]
    number = {image.numpy().tobytes(): i for i, image in enumerate(dataset.images)}
    assert len(number) == len(dataset.images), "no picture twice, so bytes are an identity"
    return Pictures(number, dataset.labels.tolist())


def read(batch: FrameSequences, pictures: Pictures) -> list[Seen]:
    images = (batch.frames[:, :, 0] * 255).round().byte().numpy()
    fields = (batch.labels, batch.recalled_from, batch.place)
    return [
        Seen([pictures.number[image.tobytes()] for image in row], *(f.tolist() for f in rest))
        for row, *rest in zip(images, *fields, strict=True)
    ]


def sequences(task: RecallDataModule, split: str = "train") -> tuple[list[Seen], Pictures]:
    pictures = pictures_of(task, split)
    return read(task.dataset(split).__getitems__(range(SEQUENCES)), pictures), pictures


def counted_from_1(values: list[int]) -> dict[int, int]:
    """Sequences as the algorithms of Gemici et al. 2017, appendix D, count them."""
    return dict(enumerate(values, start=1))
