"""Procedural faces: the same on every call, all different, and recognisable as faces."""

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


def test_what_is_drawn_is_where_it_belongs() -> None:
    """Cheeks have skin's hue, pupils are darker than cheeks, and hair is what its palette says."""
    plain = {name: np.full((2, 1, 1), (low + high) / 2) for name, (low, high) in RANGES.items()}
    plain = {name: trait.astype(np.float32) for name, trait in plain.items()}
    plain["skin"][:] = 0
    plain["hair"][:, 0, 0] = 0, 5
    dark, blond = draw(plain).astype(int)
    cheek = dark[18, 11]
    assert cheek[0] > cheek[1] > cheek[2] and cheek.mean() > 150
    eyes = dark[12:18]
    assert eyes[:, 9:16].min() < 80 and eyes[:, 17:23].min() < 80
    assert dark[5, 16].mean() < 60 < 150 < blond[5, 16].mean()
    mouth = dark[21:25, 16]
    assert (mouth[:, 0] - mouth[:, 1]).max() > 1.3 * (cheek[0] - cheek[1])
    assert np.array_equal(dark[-1], blond[-1]), "clothes do not depend on hair"


def test_faces_vary_in_every_part() -> None:
    faces = load_images("faces", "nowhere", "test", FACES).images.astype(float)
    assert faces.std(axis=0).min() > 15
    assert 90 < faces.mean() < 165 and faces.min() < 15 and faces.max() > 240
