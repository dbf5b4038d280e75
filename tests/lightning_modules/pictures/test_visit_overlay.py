"""Visits in colour channels, last moves, and what has not been seen."""

import pytest
import torch
from torch import Tensor

from lightning_modules.pictures import overlay, visit_overlay
from lightning_modules.pictures.visit_overlay import UNSEEN, instants, last_moves, shaded

# On a 2 x 2 grid: cell 0 is visited at the steps 0, 2, 4 and 6, cell 1 at 1 and 5, cell 3 at 3.
PLACE = torch.tensor([0, 1, 0, 3, 0, 1, 0])


def tiny_frames(**pixels: float) -> Tensor:
    """Black frames [7, 1, 2, 2] with the pixel (0, 1) set at the named steps."""
    frames = torch.zeros(7, 1, 2, 2)
    for step, value in pixels.items():
        frames[int(step[1:]), 0, 0, 1] = value
    return frames


def test_three_equal_visits_are_white_where_the_image_is() -> None:
    picture = overlay(tiny_frames(t0=1, t2=1, t4=1), PLACE, grid=2, until=5)
    assert picture.shape == (4, 4, 3)
    assert picture[0, 1].tolist() == [1, 1, 1]
    picture[0, 1] = 0
    assert not picture.any()


@pytest.mark.parametrize(
    ("until", "colour"),
    [(1, [0.5, 0, 0]), (2, [0.5, 0, 0]), (3, [0.5, 0.25, 0]), (5, [0.5, 0.25, 1])],
)
def test_each_visit_has_its_channel(until: int, colour: list[float]) -> None:
    frames = tiny_frames(t0=0.5, t2=0.25, t4=1)
    assert overlay(frames, PLACE, 2, until)[0, 1].tolist() == colour


def test_visits_after_the_third_replace_blue() -> None:
    frames = tiny_frames(t0=1, t2=1, t4=1, t6=0.25)
    assert overlay(frames, PLACE, 2, until=7)[0, 1].tolist() == [1, 1, 0.25]


def test_cells_lie_where_their_place_says() -> None:
    picture = overlay(tiny_frames(t1=1, t3=0.5, t5=1), PLACE, grid=2, until=7)
    assert picture[0, 3].tolist() == [1, 1, 0], "cell 1: row 0, column 1, visited twice"
    assert picture[2, 3].tolist() == [0.5, 0, 0], "cell 3: row 1, column 1, visited once"


def test_different_images_show_their_own_colours() -> None:
    frames = torch.zeros(7, 1, 2, 2)
    frames[0, 0, 0, 0] = frames[2, 0, 1, 1] = 1
    picture = overlay(frames, PLACE, 2, until=4)
    assert picture[0, 0].tolist() == [1, 0, 0] and picture[1, 1].tolist() == [0, 1, 0]


def test_unseen_cells_are_grey_and_seen_ones_keep_their_black() -> None:
    picture = overlay(tiny_frames(), PLACE, 2, until=2)
    grey = shaded(picture, PLACE[:2], grid=2)
    assert (grey[:2] == 0).all(), "cells 0 and 1 were seen"
    assert grey[2:] == pytest.approx(UNSEEN)


def test_last_moves_are_those_into_the_last_frames() -> None:
    assert last_moves(PLACE, until=7, count=2) == [(0, 1), (1, 0)]
    assert last_moves(PLACE, until=3) == [(0, 1), (1, 0)], "the first frame has no move into it"
    assert last_moves(PLACE, until=1) == []


def test_instants_are_those_of_the_paper() -> None:
    assert instants(25) == [5, 10, 15, 20, 25]
    assert instants(3) == [1, 2, 3]


def test_the_figure_shows_every_row_at_every_instant() -> None:
    frames = {"truth": torch.rand(7, 1, 2, 2), "model": torch.rand(7, 1, 2, 2)}
    figure = visit_overlay(frames, PLACE, 2, "Title", "Subtitle")
    images = [image for axes in figure.axes for image in axes.images]
    assert len(images) == 2 * len(instants(7))
    last = images[-1].get_array()
    expected = shaded(overlay(frames["model"], PLACE, 2, 7), PLACE, 2)
    assert torch.equal(torch.tensor(last), torch.tensor(expected))
    arrows = [p.get_gid() for p in figure.axes[-3].patches]
    assert arrows.count("move") == 5
