"""The KL curve's lines and units; the film's panels, axes and rings."""

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lightning_modules.pictures import kl_curve, memory_film
from lightning_modules.pictures.memory_film import expected_reads

NAN = float("nan")
CURVES = {
    "kl": torch.tensor([4.0, 3.0, 2.0]),
    "kl_new": torch.tensor([4.0, 3.5, 3.0]),
    "kl_recalled": torch.tensor([NAN, 2.0, 1.0]),
    "recalled_share": torch.tensor([0.0, 0.5, 0.75]),
}
# The first two steps are new in every sequence; all recall the third one.
RECALL_TASK = {
    "kl": torch.tensor([4.0, 3.0, 1.0]),
    "kl_new": torch.tensor([4.0, 3.0, NAN]),
    "kl_recalled": torch.tensor([NAN, NAN, 1.0]),
    "recalled_share": torch.tensor([0.0, 0.0, 1.0]),
}


def lines_of(figure: Figure) -> dict[str, list[float]]:
    return {line.get_gid(): line.get_ydata().tolist() for line in figure.axes[0].lines}


def test_the_curves_are_drawn_over_steps_from_one() -> None:
    figure = kl_curve(CURVES, "Title", "Subtitle", "#0072B2")
    lines = lines_of(figure)
    assert lines["all steps"] == [4, 3, 2] and lines["new steps"] == [4, 3.5, 3]
    assert lines["recalled steps"][1:] == [2, 1]
    axes = figure.axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert "nats" in axes.get_ylabel() and axes.get_xlabel() == "step t"
    assert axes.get_ylim() == pytest.approx((0, 1.08 * 4)), "above the highest, from zero"


@pytest.mark.parametrize("colour", ["#0072b2", "#d55e00"])
def test_the_recalled_steps_have_the_models_colour(colour: str) -> None:
    (line,) = [
        line
        for line in kl_curve(CURVES, "", "", colour).axes[0].lines
        if line.get_gid() == "recalled steps"
    ]
    assert to_hex(line.get_color()) == colour


def test_where_nothing_is_told_the_curve_lies_at_zero() -> None:
    curves = {name: torch.zeros(3) for name in CURVES}
    assert kl_curve(curves, "", "", "#0072B2").axes[0].get_ylim() == (0, 1)


def test_shares_are_percentages_behind_the_lines() -> None:
    lines, bars = kl_curve(CURVES, "", "", "#0072B2").axes
    assert [bar.get_height() for bar in bars.patches] == [0, 50, 75]
    assert "%" in bars.get_ylabel() and len(bars.get_yticks())
    assert lines.get_zorder() > bars.get_zorder()


def test_where_all_sequences_recall_the_same_steps_no_line_lies_over_another() -> None:
    figure = kl_curve(RECALL_TASK, "", "", "#0072B2")
    lines = lines_of(figure)
    assert set(lines) == {"new steps", "recalled steps"}
    assert lines["new steps"][:2] == [4, 3] and lines["recalled steps"][2] == 1
    bars = figure.axes[1]
    assert [bar.get_height() for bar in bars.patches] == [0, 0, 100]
    assert "%" not in bars.get_ylabel() and not len(bars.get_yticks())


def test_a_run_that_diverged_still_has_a_curve() -> None:
    for broken in (torch.full((3,), NAN), torch.tensor([1, 2, float("inf")])):
        curves = {name: broken for name in CURVES} | {"recalled_share": torch.zeros(3)}
        kl_curve(curves, "", "", "#0072B2")


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
