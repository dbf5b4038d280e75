"""Sources of one kind hold the same kind of images: digits, whichever source they are from."""

from pathlib import Path

import numpy as np

from datamodules.sources import load_images

COUNTS = {
    "mnist": {"train": 55_000, "val": 5_000, "test": 10_000},
    "mnist5k": {"train": 4_000, "val": 500, "test": 500},
}


def test_splits_have_the_documented_sizes_types_and_classes(source: str, real_data: Path) -> None:
    for split, count in COUNTS[source].items():
        digits = load_images(source, real_data, split)
        assert digits.images.shape == (count, 28, 28) and digits.images.dtype == np.uint8
        assert digits.labels.shape == (count,) and digits.labels.dtype == np.int64
        assert set(digits.labels) == set(range(10))
        assert digits.source == source
        assert 0.1 < digits.images.mean() / 255 < 0.16, "ink is bright on black"


def test_no_image_is_in_two_splits(source: str, real_data: Path) -> None:
    seen = [
        {image.tobytes() for image in load_images(source, real_data, split).images}
        for split in ("train", "val", "test")
    ]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_labels_mean_the_same_digits_in_both_sources(real_data: Path) -> None:
    """Images that occur in several sources carry the same label in each."""
    embedded = load_images("mnist5k", real_data, "train")
    if not (real_data / "mnist").is_dir():
        ones, zeros = (embedded.images[embedded.labels == digit].mean() for digit in (1, 0))
        assert ones < zeros / 2, "a one needs far less ink than a zero"
        return
    real = load_images("mnist", real_data, "train")
    named = {x.tobytes(): y for x, y in zip(real.images, real.labels, strict=True)}
    pairs = [
        (named[x.tobytes()], y)
        for x, y in zip(embedded.images, embedded.labels, strict=True)
        if x.tobytes() in named
    ]
    assert len(pairs) > 3_000 and all(a == b for a, b in pairs)
