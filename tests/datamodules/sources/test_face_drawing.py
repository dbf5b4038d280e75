"""Drawn faces are recognisable as faces."""

import numpy as np

from datamodules.sources.face_drawing import RANGES, draw


def test_what_is_drawn_is_where_it_belongs() -> None:
    """Cheeks have the skin's hue, pupils are darker than cheeks, hair has its palette's colour."""
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
