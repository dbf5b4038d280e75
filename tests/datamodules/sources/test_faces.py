"""Procedural faces: the same on every call, and all different."""

import numpy as np

from datamodules.sources import FACES, load_images
from datamodules.sources.face_drawing import RANGES, draw
from datamodules.sources.faces import traits

SPLITS = {"train": 4_000, "val": 500, "test": 500}


def test_splits_hold_colour_images_and_share_none() -> None:
    seen: set[bytes] = set()
    for split, count in SPLITS.items():
        faces = load_images("faces", "nowhere", split, FACES)
        assert faces.images.shape == (count, 32, 32, 3) and faces.images.dtype == np.uint8
        assert faces.source == "faces" and (faces.labels == np.zeros(count)).all()
        seen |= {image.tobytes() for image in faces.images}
    assert len(seen) == 5_000


def test_a_face_depends_on_its_number_only() -> None:
    validation = load_images("faces", "nowhere", "val", FACES).images
    assert np.array_equal(draw(traits(range(4_007, 4_009))), validation[7:9])
    assert np.array_equal(draw(traits(range(4_490, 4_500))), validation[-10:])


def test_traits_stay_in_their_ranges_and_fill_them() -> None:
    drawn = traits(range(300))
    for name, (low, high) in RANGES.items():
        assert low <= drawn[name].min() < low + 0.05 * (high - low)
        assert high >= drawn[name].max() > high - 0.05 * (high - low)


def test_faces_vary_in_every_part() -> None:
    faces = load_images("faces", "nowhere", "test", FACES).images.astype(float)
    assert faces.std(axis=0).min() > 15
    assert 90 < faces.mean() < 165 and faces.min() < 15 and faces.max() > 240
