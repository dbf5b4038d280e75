"""Words of comparisons: what was found, and which bound was claimed."""

import pytest

from lightning_modules.command_line.reproduce.claim_document import compared, digits_of
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
