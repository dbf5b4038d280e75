"""Verdicts on synthetic numbers: either way, at the margin, with few seeds, over several."""

from collections.abc import Mapping
from math import isnan

import pytest

from lightning_modules.records.statements import (
    BySeed,
    Judgement,
    Numbers,
    Quantity,
    Relation,
    Statement,
    heaviest,
    judge,
    verdict_in_words,
)

NLL = Quantity("nll", None)
#: Their differences from 0 have mean 1.0 and a 95% interval of 4.303 * 0.1 / sqrt(3) = 0.248.
AROUND_ONE = {31: 0.9, 32: 1.0, 33: 1.1}
ZERO = dict.fromkeys(AROUND_ONE, 0.0)


def statement(
    relation: Relation,
    margin: float = 0.0,
    to: tuple[str, ...] | float = ("b",),
    of: tuple[str, ...] = ("a",),
    data: tuple[str, ...] = (),
) -> Statement:
    return Statement(NLL, of, relation, to, margin, data, "")


def of(**models: BySeed) -> Numbers:
    def numbers(quantity: Quantity, model: str, data: str) -> BySeed:
        return models.get(model, {})

    return numbers


def verdict(claimed: Statement, **models: BySeed) -> str:
    (judged,) = judge([claimed], ["gp"], of(**models))
    return judged.verdict


def test_swapped_numbers_have_the_opposite_verdict() -> None:
    below = statement("below", 0.5)
    assert verdict(below, a=ZERO, b=AROUND_ONE) == "holds"
    assert verdict(below, a=AROUND_ONE, b=ZERO) == "fails"
    above = statement("above", 0.5)
    assert verdict(above, a=ZERO, b=AROUND_ONE) == "fails"
    assert verdict(above, a=AROUND_ONE, b=ZERO) == "holds"


@pytest.mark.parametrize(
    ("margin", "expected"),
    [(0.74, "holds"), (0.76, "undecided"), (1.24, "undecided"), (1.26, "fails")],
)
def test_the_whole_interval_must_be_beyond_the_margin(margin: float, expected: str) -> None:
    """The interval is [0.752, 1.248]."""
    assert verdict(statement("above", margin), a=AROUND_ONE, b=ZERO) == expected
    assert verdict(statement("below", margin), a=ZERO, b=AROUND_ONE) == expected


def test_a_negative_margin_allows_a_small_loss() -> None:
    """The first is better by 0.752 to 1.248: by 1.3 at most, and by more than 0.7."""
    assert verdict(statement("above", -1.3), a=ZERO, b=AROUND_ONE) == "holds"
    assert verdict(statement("above", -0.7), a=ZERO, b=AROUND_ONE) == "fails"


@pytest.mark.parametrize(
    ("margin", "expected"),
    [(1.26, "holds"), (1.24, "undecided"), (0.76, "undecided"), (0.74, "fails")],
)
def test_near_holds_and_fails_on_both_sides(margin: float, expected: str) -> None:
    assert verdict(statement("near", margin), a=AROUND_ONE, b=ZERO) == expected
    assert verdict(statement("near", margin), a=ZERO, b=AROUND_ONE) == expected


def test_numbers_are_bounds() -> None:
    assert verdict(statement("below", to=1.25), a=AROUND_ONE) == "holds"
    assert verdict(statement("below", to=0.75), a=AROUND_ONE) == "fails"
    assert verdict(statement("below", to=1.2), a=AROUND_ONE) == "undecided"
    assert verdict(statement("near", 0.25, to=1.0), a=AROUND_ONE) == "holds"
    assert verdict(statement("near", 0.2, to=2.0), a=AROUND_ONE) == "fails"


def test_pairs_cancel_what_a_seed_does_to_both() -> None:
    """Unpaired, spreads of 100 would hide the difference of 1."""
    a, b = {31: 0.0, 32: 100.0, 33: 200.0}, {31: 1.0, 32: 101.1, 33: 200.9}
    assert verdict(statement("below", 0.5), a=a, b=b) == "holds"


def test_too_few_seeds_decide_nothing_and_none_leave_it_open() -> None:
    two = {31: 0.0, 32: 0.0}
    assert verdict(statement("below"), a=two, b=AROUND_ONE) == "undecided"
    assert verdict(statement("below"), a={}, b=AROUND_ONE) == "open"
    assert verdict(statement("below"), a={34: 0.0, 35: 0.0, 36: 0.0}, b=AROUND_ONE) == "open"
    assert verdict(statement("below", to=1.0), a=two) == "undecided"


def test_numbers_without_a_spread_are_exact() -> None:
    """Numbers of parameters are an example."""
    same = {31: 5, 32: 5, 33: 5}
    assert verdict(statement("near", 1.0, to=5.5), a=same) == "holds"
    assert verdict(statement("near", 0.4, to=5.5), a=same) == "fails"


def test_a_claim_holds_if_all_comparisons_do_and_fails_if_one_does() -> None:
    three = statement("below", 0.5, to=("b", "c", "d"))
    low, lower = dict.fromkeys(AROUND_ONE, -2.0), dict.fromkeys(AROUND_ONE, -9.0)
    assert verdict(three, a=low, b=AROUND_ONE, c=AROUND_ONE, d=AROUND_ONE) == "holds"
    assert verdict(three, a=low, b=AROUND_ONE, c=AROUND_ONE) == "open"
    assert verdict(three, a=low, b=AROUND_ONE, c=AROUND_ONE, d=lower) == "fails"
    assert verdict(three, a=low, b=AROUND_ONE, c=AROUND_ONE, d={31: 0.0}) == "undecided"
    assert verdict(three, a=low, b=AROUND_ONE, d=lower) == "fails", "whatever the others find"
    assert heaviest(iter([])) == "open"


def test_many_comparisons_raise_the_bar_for_failing_but_not_for_holding() -> None:
    """A difference of 1.0 from a margin of 0.7 on the wrong side: t = 5.2, p = 0.035."""
    wrong = statement("below", -0.7)
    assert verdict(wrong, a=AROUND_ONE, b=ZERO) == "fails"
    good = statement("above", 0.7, to=("b", "c"))
    judged = judge([wrong, good], ["gp"], of(a=AROUND_ONE, b=ZERO, c=ZERO))
    assert [each.verdict for each in judged] == ["undecided", "holds"], "0.035 * 3 > 0.05"
    assert judged[0].comparisons[0].p == pytest.approx(0.0351, abs=1e-4)
    assert isnan(judge([wrong], ["gp"], of(a={31: 1.0}, b=ZERO))[0].comparisons[0].p)


def compared_on(judgements: list[Judgement]) -> Mapping[str, list[str]]:
    return {str(j.statement.data): [one.data for one in j.comparisons] for j in judgements}


def test_statements_are_of_their_benchmarks_as_far_as_a_scale_has_them() -> None:
    claimed = [
        statement("below"),
        statement("below", data=("sparse",)),
        statement("below", data=("sparse", "faces")),
        statement("below", data=("faces",)),
    ]
    judged = judge(claimed, ["transfer", "sparse"], of(a=ZERO, b=AROUND_ONE))
    assert compared_on(judged) == {
        "()": ["transfer", "sparse"],
        "('sparse',)": ["sparse"],
        "('sparse', 'faces')": ["sparse"],
        "('faces',)": [],
    }


def test_a_verdict_says_how_many_statements_it_rests_on() -> None:
    """Statements on other benchmarks than those of a scale are listed, without a weight."""
    good, elsewhere = statement("below", 0.5), statement("below", data=("faces",))
    numbers = of(a=ZERO, b=AROUND_ONE)
    judged = judge([good, elsewhere, good], ["gp"], numbers)
    assert [each.verdict for each in judged] == ["holds", "not judged at this scale", "holds"]
    assert verdict_in_words(judged) == "holds (2 of 3 statements)"
    assert verdict_in_words(judge([good], ["gp"], numbers)) == "holds"
    assert verdict_in_words(judge([elsewhere], ["gp"], numbers)) == "open (0 of 1 statements)"


@pytest.mark.parametrize("lost", ["a", "b"])
def test_survivors_of_divergence_decide_nothing(lost: str) -> None:
    """Neither do the three seeds that both models completed hold, nor do they fail."""
    numbers, better = of(a=ZERO, b=AROUND_ONE, c=AROUND_ONE), statement("below", to=("b", "c"))

    def gaps(quantity: Quantity, model: str, data: str) -> tuple[int, ...]:
        return (35, 34) if model == lost else ()

    (judged,) = judge([better], ["gp"], numbers, gaps=gaps)
    assert judged.comparisons[0].verdict == "undecided"
    assert judged.comparisons[0].diverged == (34, 35)
    assert judged.comparisons[1].verdict == ("undecided" if lost == "a" else "holds")
    worse, bound = statement("above", to=("b",)), statement("below", to=-9.0)
    judged_worse = judge([worse], ["gp"], numbers, gaps=gaps)
    assert verdict_in_words(judged_worse) == "undecided"
    assert isnan(judged_worse[0].comparisons[0].p), "it takes no part in Holm's correction"
    expected = "undecided" if lost == "a" else "fails"
    assert verdict_in_words(judge([bound], ["gp"], numbers, gaps=gaps)) == expected


def test_a_model_of_which_every_run_diverged_is_undecided() -> None:
    (judged,) = judge([statement("below")], ["gp"], of(b=ZERO), gaps=lambda *of_it: (31, 32, 33))
    assert judged.verdict == "undecided"


def test_words_of_a_statement_without_any() -> None:
    assert statement("below", 0.5).in_words() == "nll of a below b by 0.5"
    assert statement("below", to=0.5).in_words() == "nll of a below 0.5"
    steps = statement("near", 0.1)._replace(quantity=Quantity("nll", (1, 10)))
    assert steps.in_words() == "nll, steps 1 to 10 of a near b within 0.1"
    assert steps._replace(says="A is as good").in_words() == "A is as good"
