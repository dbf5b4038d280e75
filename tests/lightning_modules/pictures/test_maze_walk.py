"""Which frames are marked, where the prefix ends, and which frames are drawn."""

import pytest
import torch
from matplotlib.colors import to_hex

from lightning_modules.pictures import Walk, maze_walk
from lightning_modules.pictures.maze_walk import Revisit, revisits
from lightning_modules.pictures.style import SKY, VERMILION

RECALLED_FROM = torch.tensor([-1, -1, 0, -1, -1, 1, -1, 2])


@pytest.fixture
def walk() -> Walk:
    frames = torch.rand(3, 8, 1, 28, 28)
    actions = torch.eye(5)[torch.tensor([0, 1, 2, 3, 4, 1, 2, 3])]
    return Walk(*frames, actions, RECALLED_FROM, prefix=3)


def test_revisits_are_the_recalled_steps() -> None:
    assert revisits(RECALLED_FROM) == [Revisit(2, 0), Revisit(5, 1), Revisit(7, 2)]
    assert [revisit.colour for revisit in revisits(RECALLED_FROM)] == [SKY, SKY, VERMILION]


def test_every_row_marks_the_same_frames(walk: Walk) -> None:
    axes = maze_walk([walk], "Title", "Subtitle", VERMILION).axes[0]
    marks = {patch.get_gid(): to_hex(patch.get_edgecolor()) for patch in axes.patches}
    assert marks == {
        f"revisit row {row} step {step}": colour.lower()
        for row in range(3)
        for step, colour in [(2, SKY), (5, SKY), (7, VERMILION)]
    }
    ages = [text.get_text() for text in axes.texts if text.get_text().startswith("t=")]
    assert ages == ["t=1", "t=2", "t=3"] * 3, "steps count from 1"


def test_steps_and_moves_are_named(walk: Walk) -> None:
    texts = [text.get_text() for text in maze_walk([walk], "", "", SKY).axes[0].texts]
    assert [t for t in texts if t.isdigit()] == [f"{t}" for t in range(1, 9)]
    assert "".join(t for t in texts if t in "↑↓←→") == "↑↓←→↑↓←"
    assert {"truth", "reconstruction", "generated"} <= set(texts)


def test_the_line_lies_between_the_prefix_and_what_is_generated(walk: Walk) -> None:
    axes = maze_walk([walk], "", "", SKY).axes[0]
    (line,) = [line for line in axes.lines if line.get_gid() == "prefix"]
    frames = [image.get_extent() for image in axes.images][:8]
    assert frames[2][1] < line.get_xdata()[0] < frames[3][0]


def test_frames_are_drawn_in_order(walk: Walk) -> None:
    images = maze_walk([walk, walk], "", "", SKY).axes[1].images
    drawn = torch.stack([torch.tensor(image.get_array()) for image in images])
    rows = torch.cat([walk.truth, walk.reconstruction, walk.generated])
    assert torch.equal(drawn[..., 0], rows[:, 0])
