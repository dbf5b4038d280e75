"""Exponents of growth, skipped contestants, and the plot."""

from argparse import Namespace

import pytest
import torch
from matplotlib.colors import to_hex

from full_memory import FullSAM
from growth import Growth, slope
from growth_plot import growth_plot
from memory_cores import DNC, Items, MemorySizes
from peak_memory import peak_mebibytes
from scaling import AXES, fits, report


def grown(*times: float) -> Growth:
    sizes = [25 * 2**n for n in range(len(times))]
    return Growth(sizes, list(times), list(times), [1.0] * len(times))


def test_a_slope_is_a_power() -> None:
    assert slope([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert slope([10, 100], [1, 100]) == pytest.approx(2)
    assert slope([10], [1]) is None


def test_only_the_large_end_counts() -> None:
    assert grown(5, 5, 5, 20, 80).exponent == pytest.approx(2)


@pytest.mark.parametrize(
    ("limits", "power", "stays"),
    [((16, 9), 2, True), ((15, 9), 2, False), ((16, 0.0001), 2, False), ((4, 9), 1, True)],
)
def test_who_may_not_fit_next_leaves(
    limits: tuple[float, float], power: int, stays: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Namespace(most_mebibytes=limits[0], most_seconds=limits[1])
    growth = Growth([25], [1.0], [1.0], [1.0])
    assert fits("dnc", growth, 100, options, power) is stays
    assert ("skipped at 100" in capsys.readouterr().out) is not stays


def test_a_report_has_dashes_where_someone_left() -> None:
    lines = report({"dnc": grown(1, 4), "ntm": grown(1, 2, 4)}, "slots N").splitlines()
    assert lines[-2].split() == ["dnc", "1.0", "4.0", "-", "2.00"]
    assert lines[-1].split() == ["ntm", "1.0", "2.0", "4.0", "1.00"]


def test_axes_cover_what_is_asked_for() -> None:
    ends = {key: (axis.sizes[0], axis.sizes[-1]) for key, axis in AXES.items()}
    assert ends == {
        "slots": (25, 4096),
        "long": (100, 100_000),
        "steps": (25, 400),
        "batch": (10, 512),
        "cells": (9, 400),
        "context": (1, 500),
    }


def test_every_core_grows_with_steps_and_those_with_slots_with_slots() -> None:
    known = {"dnc", "dnc_sparse_links", "ntm", "lru", "introspection", "context_window"}
    assert {*known, "rmr", "no_memory", "lstm"} <= set(AXES["steps"].names)
    assert AXES["batch"].names == AXES["steps"].names
    assert known <= set(AXES["slots"].names) and known | {"rmr"} <= set(AXES["context"].names)
    assert not {"no_memory", "rmr"} & set(AXES["slots"].names)


def test_a_picture_has_logarithmic_axes_units_and_the_cores_colours() -> None:
    figure = growth_plot({"dnc": grown(1, 2, 4), "lstm": grown(1, 1)}, "Slots", "cpu", "slots N")
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "slots N" and "ms" in axes.get_ylabel()
    lines = {line.get_gid(): line for line in axes.lines}
    assert to_hex(lines["dnc"].get_color()) == DNC.look.colour.lower()
    (legend,) = figure.legends
    assert "DNC, exponent 1.00" in [text.get_text() for text in legend.texts]


def test_a_core_with_options_is_told_from_the_core() -> None:
    curves = {"dnc": grown(1, 2, 4), "dnc_sparse_links": grown(1, 2, 3)}
    figure = growth_plot(curves, "Slots", "cpu", "slots N")
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    colours = {line.get_color() for line in lines.values()}
    assert len(colours) == 1 and lines["dnc_sparse_links"].get_linestyle() == ":"
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert [text.partition(", exp")[0] for text in texts] == ["DNC", "DNC(sparse_links=8)"]


def test_a_full_memory_is_full_and_looks_different_from_the_core() -> None:
    curves = {"sam": grown(1, 1), "sam_full": grown(1, 2)}
    figure = growth_plot(curves, "Slots", "cpu", "slots N")
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    assert len({line.get_color() for line in lines.values()}) == 1
    assert (lines["sam"].get_linestyle(), lines["sam_full"].get_linestyle()) == ("-", ":")
    sizes = MemorySizes(control=3, key=2, value=2, steps=1)
    for slots in (5, 500):
        core = FullSAM(sizes, slots=slots, word_size=4, read_heads=1)
        state = core.initial_state(2, torch.zeros(1))
        assert (state.rows.shape[1] == slots) == (slots == 5)
        item = Items(*torch.randn(2, 2, 1, 2), torch.ones(2, 1, dtype=torch.bool))
        reads, *_ = core.write_and_read(state, torch.randn(2, 3), item)
        rows = torch.cat([state.rows, state.base], 1)[:, -slots:]
        assert rows.abs().sum(2).gt(0).all() and reads.abs().sum() > 0


def test_a_step_with_100_000_slots_in_use_holds_little_more_than_they_are() -> None:
    """Four sequences of 25 steps: the rows are 49 MiB; a copy per step would be 1,200 more."""
    contestant = AXES["long"].build("sam_full", 100_000, torch.device("cpu"))
    assert contestant.inputs.shape[:2] == (4, 25)
    assert 49 < peak_mebibytes(contestant.step, torch.device("cpu")) < 100
