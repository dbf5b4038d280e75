"""Frames of the grid: which are drawn and marked, on which lines, and where the prefix ends."""

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures import Generation, generation_grid
from lightning_modules.pictures.generation_grid import (
    Recall,
    Row,
    lines_of,
    model_rows,
    recalls,
)
from lightning_modules.pictures.style import SKY, VERMILION

RECALLED_FROM = torch.tensor([-1, -1, 0, -1, -1, 1, -1, 2])
MOVES = ["", *"↑↓←→↑↓←"]
OLD_AGE = 5


@pytest.fixture
def walk() -> Generation:
    """Eight frames with moves, of which the last was seen long before."""
    return Generation(*torch.rand(3, 8, 1, 28, 28), RECALLED_FROM, 3, OLD_AGE, moves=MOVES)


def recall_task(steps: int, prefix: int) -> Generation:
    """A sequence without moves whose last five frames repeat the first five."""
    recalled_from = torch.full((steps,), -1)
    recalled_from[-5:] = torch.arange(5)
    return Generation(*torch.rand(3, steps, 1, 28, 28), recalled_from, prefix, OLD_AGE)


def draw(*generations: Generation) -> Figure:
    return generation_grid(generations, "Title", "Subtitle", VERMILION)


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def numbers_of(axes: Axes) -> list[int]:
    return [int(text) for text in texts_of(axes) if text.isdigit()]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn_in(axes: Axes) -> Tensor:
    return torch.stack([torch.tensor(image.get_array()) for image in axes.images])[..., 0]


def test_recalls_are_the_steps_with_an_answer(walk: Generation) -> None:
    expected = [Recall(2, 0, old=False), Recall(5, 1, old=False), Recall(7, 2, old=True)]
    assert recalls(walk) == expected
    assert [recall.colour for recall in recalls(walk)] == [SKY, SKY, VERMILION]
    earlier = walk._replace(old_age=4)
    assert [recall.colour for recall in recalls(earlier)] == [SKY, VERMILION, VERMILION]


def test_every_row_marks_the_same_frames(walk: Generation) -> None:
    axes = draw(walk).axes[0]
    marks = {patch.get_gid(): to_hex(patch.get_edgecolor()) for patch in axes.patches}
    assert marks == {
        f"recalled row {row} step {step}": colour.lower()
        for row in range(3)
        for step, colour in [(2, SKY), (5, SKY), (7, VERMILION)]
    }
    answers = [text for text in texts_of(axes) if text.startswith("t=")]
    assert answers == ["t=1", "t=2", "t=3"] * 3, "steps count from 1"


def test_marks_lie_on_their_frames_on_every_line() -> None:
    task = recall_task(33, 28)
    for line, axes in zip(lines_of(task, {}), draw(task).axes, strict=True):
        frames = {round(image.get_extent()[0], 6) for image in axes.images}
        lefts = {round(patch.get_x(), 6) for patch in axes.patches}
        first = min(frames)
        assert {round(left - first) + line.steps.start for left in lefts} == {
            step for step in line.steps if step >= 28
        }
        assert lefts <= frames


def test_steps_and_moves_are_named(walk: Generation) -> None:
    axes = draw(walk).axes[0]
    assert numbers_of(axes) == list(range(1, 9))
    assert "".join(text for text in texts_of(axes) if text in "↑↓←→") == "↑↓←→↑↓←"
    assert {"move", "truth", "reconstruction", "generated"} <= set(texts_of(axes))


def test_without_moves_there_is_no_line_for_them(walk: Generation) -> None:
    still = walk._replace(moves=None)
    texts = texts_of(draw(still).axes[0])
    assert "move" not in texts and not set("↑↓←→") & set(texts)
    assert draw(still).get_figheight() < draw(walk).get_figheight()


@pytest.mark.parametrize(("steps", "prefix", "line"), [(8, 3, 0), (25, 21, 0), (55, 50, 1)])
def test_the_line_lies_between_the_prefix_and_what_is_generated(
    steps: int, prefix: int, line: int
) -> None:
    figure = draw(recall_task(steps, prefix))
    (divided,) = [i for i, axes in enumerate(figure.axes) if axes.lines]
    assert divided == line
    axes = figure.axes[line]
    (boundary,) = axes.lines
    shown = numbers_of(axes)
    extents = dict(zip(shown, (image.get_extent() for image in axes.images), strict=False))
    assert extents[prefix][1] < boundary.get_xdata()[0] < extents[prefix + 1][0]
    assert {"given", "generated"} <= set(texts_of(axes))


def test_a_prefix_that_ends_with_a_line_divides_the_next_one() -> None:
    first, second = draw(recall_task(56, 28)).axes
    assert not first.lines and len(second.lines) == 1
    assert second.lines[0].get_xdata()[0] < second.images[0].get_extent()[0]
    assert "given" not in texts_of(second), "nothing in this line is given"


def test_frames_are_drawn_in_order(walk: Generation) -> None:
    rows = torch.cat([walk.truth, walk.reconstruction, walk.generated])
    assert torch.equal(drawn_in(draw(recall_task(8, 3), walk).axes[1]), rows[:, 0])


def test_a_long_sequence_is_drawn_whole_over_several_lines() -> None:
    long = recall_task(55, 50)
    first, second = draw(long).axes
    assert numbers_of(first) + numbers_of(second) == list(range(1, 56))
    for row, frames in enumerate((long.truth, long.reconstruction, long.generated)):
        shown = torch.cat([drawn_in(a).unflatten(0, (3, -1))[row] for a in (first, second)])
        assert torch.equal(shown, frames[:, 0])


@pytest.mark.parametrize(("steps", "lengths"), [(25, [25]), (30, [30]), (55, [28, 27])])
def test_lines_are_few_and_about_as_long(steps: int, lengths: list[int]) -> None:
    assert [len(line.steps) for line in lines_of(recall_task(steps, 6), {})] == lengths


@pytest.mark.parametrize("steps", [6, 15, 25, 55])
def test_nothing_runs_out_of_the_picture(steps: int) -> None:
    """The mark is there also where a single frame, at the end of a line, is generated."""
    figure = draw(recall_task(steps, steps - 1))
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # lays the legend out
    renderer = canvas.get_renderer()
    texts = [text for axes in figure.axes for text in axes.texts] + figure.legends[0].get_texts()
    boxes = [text.get_window_extent(renderer) for text in (*texts, *figure.texts)]
    width, height = canvas.get_width_height()
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
    assert all(box.y0 >= 0 and box.y1 <= height for box in boxes)


def test_the_legend_explains_what_is_there(walk: Generation) -> None:
    line, recent, old = legend_of(draw(walk))
    assert "the prior and the moves" in line
    assert "fewer than 5 steps" in recent and "5 or more steps" in old
    line, old = legend_of(draw(recall_task(15, 10)))
    assert "moves" not in line and "5 or more steps" in old


def test_models_have_a_row_each_below_the_truth(walk: Generation) -> None:
    generated = {"A\n(B)": Row(torch.rand(8, 1, 28, 28), SKY), "C": Row(walk.generated, VERMILION)}
    (axes,) = model_rows(walk, generated, "Title", "Subtitle").axes
    expected = torch.cat([walk.truth, generated["A\n(B)"].frames, walk.generated])[:, 0]
    torch.testing.assert_close(drawn_in(axes), expected)
    named = {t.get_text(): to_hex(t.get_color()).upper() for t in axes.texts if t.get_size() == 9}
    assert named["A\n(B)"] == SKY and named["C"] == VERMILION
    marked = [p.get_gid() for p in axes.patches]
    assert marked == [f"recalled row {row} step {t}" for row in range(3) for t in (2, 5, 7)]
