"""Letters drawn by simulated hands: all different, and recognisable across hands."""

from collections import Counter

import numpy as np
import pytest

from datamodules.sources import glyphs


@pytest.fixture(scope="module")
def letters() -> tuple[tuple[str, ...], np.ndarray]:
    return glyphs.distinct_letters()


def test_glyphs_are_distinct_letters_of_fifteen_scripts(letters) -> None:
    names, masters = letters
    scripts = Counter(name.partition("/")[0] for name in names)
    assert len(scripts) == 15 and min(scripts.values()) > 3
    assert len(set(names)) == len(names) == len(masters) > 1_200
    assert list(names) == sorted(names)
    flat = masters.reshape(len(masters), -1)[::4]
    overlap = (flat @ flat.T) / np.sqrt(np.outer((flat**2).sum(1), (flat**2).sum(1)))
    assert (overlap - np.eye(len(flat))).max() < 0.975, "no letter twice"


def test_hands_are_deterministic_and_differ(letters) -> None:
    some = letters[1][::40]
    one, again, other = (glyphs.draw(some, drawer) for drawer in (1, 1, 2))
    assert np.array_equal(one, again) and one.dtype == np.uint8
    difference = np.abs(one.astype(float) - other).mean((1, 2))
    assert (difference > 0).all() and difference.mean() > 8
    ink = one.mean((1, 2)) / 255
    assert (ink > 0.01).all() and 0.05 < ink.mean() < 0.2


def test_a_glyph_looks_more_like_itself_than_like_others(letters) -> None:
    """The nearest of 128 drawings by another hand is often of the same letter."""
    hands = [glyphs.draw(letters[1][::10], d).reshape(-1, 784).astype(np.float32) for d in (1, 2)]
    distance = ((hands[0][:, None] - hands[1]) ** 2).sum(-1)
    right = (distance.argmin(1) == np.arange(len(distance))).mean()
    assert right > 0.4
