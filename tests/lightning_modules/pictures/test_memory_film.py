"""The film's panels, axes and rings."""

import pytest
import torch

from lightning_modules.pictures import memory_film
from lightning_modules.pictures.memory_film import expected_reads

NAN = float("nan")


def test_content_is_expected_in_the_slot_written_one_step_after_it() -> None:
    write = torch.zeros(5, 2, 3)
    write[1, 0, 2], write[2, 1, 0] = 0.9, 0.6
    recalled_from = torch.tensor([-1, -1, 0, 1, 2])
    assert expected_reads(write, recalled_from) == [(2, 2), (3, 0)], "nothing was written at 3"


def test_the_slot_is_the_one_that_all_heads_wrote_most() -> None:
    write = torch.zeros(3, 2, 3)
    write[1, :, 0], write[1, 0, 2] = 0.4, 0.5
    assert expected_reads(write, torch.tensor([-1, -1, 0])) == [(2, 0)]


def test_the_film_has_a_panel_for_every_head() -> None:
    read, write = torch.rand(5, 3, 4) / 4, torch.rand(5, 1, 4) / 4
    figure = memory_film(read, write, torch.tensor([-1, -1, 0, -1, 2]), "", "", "#D55E00")
    panels = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["write head", "read head 1", "read head 2", "read head 3"]
    heads = [write[:, 0], *read.unbind(1)]
    for axes, weights in zip(panels, heads, strict=True):
        assert torch.equal(torch.tensor(axes.images[0].get_array()), weights.T)
    slots = write[:, 0].argmax(1)
    rings = panels[1].lines[0]
    assert not panels[0].lines and rings.get_xdata().tolist() == [3, 5]
    assert rings.get_ydata().tolist() == [slots[1] + 1, slots[3] + 1]


def test_a_film_of_a_core_that_holds_no_single_steps_rings_nothing() -> None:
    read = torch.rand(5, 2, 4) / 4
    figure = memory_film(read, read[:, :0], torch.tensor([-1, -1, 0, -1, 2]), "", "", "#D55E00")
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in panels] == ["read head 1", "read head 2"]
    assert all(len(line.get_xdata()) == 0 for axes in panels for line in axes.lines)
    assert not any("Ring" in text.get_text() for text in figure.texts)


def test_heads_that_write_and_heads_that_read_have_rows_of_their_own() -> None:
    five = torch.rand(5, 5, 4) / 4
    figure = memory_film(five, five, torch.full((5,), -1), "", "", "#009E73")
    panels = [axes for axes in figure.axes if axes.images]
    heights = {axes.get_title(loc="left")[:4]: round(axes.get_position().y0, 6) for axes in panels}
    assert [round(axes.get_position().y0, 6) for axes in panels] == (
        [heights["writ"]] * 5 + [heights["read"]] * 5
    )
    assert heights["writ"] > heights["read"]


def ring_size(steps: int, slots: int) -> float:
    weights = torch.rand(steps, 1, slots)
    recalled_from = torch.tensor([*[-1] * (steps - 1), 0])
    figure = memory_film(weights, weights, recalled_from, "", "", "#D55E00")
    (marks,) = figure.axes[1].lines
    return float(marks.get_markersize())


def test_rings_do_not_hide_the_weights_that_they_mark() -> None:
    panel = 2.3 * 72
    for steps in (15, 25):
        assert ring_size(steps, steps) > panel / steps
    assert ring_size(25, 125) == 5, "still to be seen where slots are thin"


@pytest.mark.parametrize("steps", [3, 15, 25, 55])
def test_steps_and_slots_are_whole_numbers(steps: int) -> None:
    weights = torch.rand(steps, 1, steps)
    film = memory_film(weights, weights, torch.full((steps,), -1), "", "", "#D55E00")
    for axes in film.axes[:2]:
        assert all(tick == int(tick) for tick in (*axes.get_xticks(), *axes.get_yticks()))


def test_films_without_recalled_steps_or_with_broken_weights_are_drawn() -> None:
    broken = torch.full((5, 1, 4), NAN)
    memory_film(broken, broken, torch.tensor([-1, -1, 0, 1, 2]), "", "", "#D55E00")
    memory_film(broken, broken, torch.full((5,), -1), "", "", "#D55E00")
