"""Words of comparisons: what was found, and which bound was claimed."""

from math import log

import pytest

from lightning_modules.command_line.reproduce.claim_document import compared, digits_of
from lightning_modules.records.reaching import Time
from lightning_modules.records.statements import Quantity, Relation, Statement, judge

NUMBERS = {"a": {31: 0.9, 32: 1.0, 33: 1.1}, "b": {31: 0.0, 32: 0.0, 33: 0.0}, "c": {}}


@pytest.mark.parametrize(
    ("relation", "to", "margin", "said"),
    [
        (
            "above",
            ("b",),
            0.5,
            "a - b on gp: +1.000 [+0.752, +1.248] (claimed: above 0.5; 3 seeds)",
        ),
        (
            "below",
            ("b",),
            0.5,
            "a - b on gp: +1.000 [+0.752, +1.248] (claimed: below -0.5; 3 seeds)",
        ),
        ("below", ("b",), 0.0, "(claimed: below 0; 3 seeds)"),
        ("near", ("b",), 2.0, "(claimed: within 2 of 0; 3 seeds): holds"),
        ("below", 0.5, 0.0, "a on gp: 1.000 [0.752, 1.248] (claimed: below 0.5; 3 seeds): fails"),
        ("near", 0.9, 0.4, "a on gp: 1.000 [0.752, 1.248] (claimed: within 0.4 of 0.9; 3 seeds)"),
        ("above", ("c",), 0.5, "a - c on gp: not run (claimed: above 0.5)"),
    ],
)
def test_a_comparison_in_words(
    relation: Relation, to: tuple[str, ...] | float, margin: float, said: str
) -> None:
    statement = Statement(Quantity("nll", None), ("a",), relation, to, margin, (), "")
    (judged,) = judge([statement], ["gp"], lambda quantity, model, data: NUMBERS[model])
    assert said in compared(judged.comparisons[0])


def test_digits_are_those_of_tables() -> None:
    assert digits_of(Quantity("bound", None)) == 1
    assert digits_of(Quantity("nll", (1, 10))) == 3
    assert digits_of(Quantity("parameters", None)) == 0


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (
            {},
            {},
            "a / b on gp: 2.00 [1.54, 2.60] (claimed: below 1.25 times; 3 seeds): fails",
        ),
        ({"known": "at least"}, {}, "3 seeds; only a bound, so that it cannot hold): fails"),
        ({}, {"known": "at least"}, "3 seeds; only a bound, so that it cannot fail): undecided"),
        (
            {"hardware": "x"},
            {},
            "a / b on gp: not comparable (claimed: below 1.25 times; "
            "3 left out, trained on different hardware)",
        ),
    ],
)
def test_ratios_of_times_in_words(own: dict, other: dict, said: str) -> None:
    """Logs of the ratios are log 2, and log 0.9 to both sides; see ``test_reaching``."""
    first = Time(100.0, "exactly", "cpu")
    clocks = {
        "a": {s: Time(t, "exactly", "cpu")._replace(**own) for s, t in ((31, 180), (32, 200))},
        "b": {s: first._replace(**other) for s in (31, 32, 33)},
    }
    clocks["a"][33] = Time(200 / 0.9, "exactly", "cpu")._replace(**own)
    quantity = Quantity("nll", None, 0.0)
    statement = Statement(quantity, ("a",), "below", ("b",), -log(1.25), (), "")
    (judged,) = judge([statement], ["gp"], lambda *_: {}, lambda q, model, data: clocks[model])
    assert said in compared(judged.comparisons[0])
    assert digits_of(quantity) == 0
