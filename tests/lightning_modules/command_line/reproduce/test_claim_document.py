"""Words of comparisons: what was found, and which bound was claimed."""

from math import inf, log
from pathlib import Path

import pytest

from lightning_modules.command_line.reproduce.claim_document import (
    compared,
    document,
    format_of,
    line,
    report,
)
from lightning_modules.command_line.reproduce.claim_file import read_claim
from lightning_modules.command_line.reproduce.claim_runs import Judged
from lightning_modules.records.claim_results import (
    ClaimResults,
    Score,
    read_claim_results,
    times_by_seed,
)
from lightning_modules.records.reaching import Known, Time
from lightning_modules.records.statements import Quantity, Relation, Statement, judge
from tests.cli.commands import ROOT

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


def test_a_comparison_names_the_seeds_that_diverged() -> None:
    statement = Statement(Quantity("nll", None), ("a",), "above", ("b", "c"), 0.5, (), "")

    def numbers(quantity: Quantity, model: str, data: str) -> dict[int, float]:
        return NUMBERS[model]

    (judged,) = judge([statement], ["gp"], numbers, gaps=lambda quantity, model, data: (34,))
    assert [compared(one) for one in judged.comparisons] == [
        "a - b on gp: +1.000 [+0.752, +1.248] (claimed: above 0.5; 3 seeds; diverged: seed 34): "
        "undecided",
        "a - c on gp: no numbers (claimed: above 0.5; diverged: seed 34): undecided",
    ]


def test_numbers_have_the_digits_and_limits_of_their_measures() -> None:
    assert format_of(Quantity("bound", None)) == (1, (-inf, inf))
    assert format_of(Quantity("nll", (1, 10))) == (3, (-inf, inf))
    assert format_of(Quantity("coherence_ratio", None)) == (3, (0.0, inf))
    assert format_of(Quantity("parameters", None)) == (0, (0.0, inf))


def test_an_interval_of_a_mean_ends_at_the_least_possible_value() -> None:
    """Errors of 0.05, 0.10 and 0.30 have an interval from -0.18 to 0.48."""
    statement = Statement(Quantity("coherence_ratio", None), ("a",), "below", 0.5, 0.0, (), "")
    numbers = {31: 0.05, 32: 0.10, 33: 0.30}
    (judged,) = judge([statement], ["maze"], lambda quantity, model, data: numbers)
    assert compared(judged.comparisons[0]).startswith("a on maze: 0.150 [0.000, 0.479] (")


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
    assert format_of(quantity)[0] == 0


def judged_again(name: str, results: ClaimResults) -> Judged:
    """A claim of the papers, judged by the given results at cpu scale."""
    claim = read_claim(ROOT / f"conf/claims/{name}.yaml")
    scale = claim.scales["cpu"]
    benchmarks = list(dict.fromkeys(data for data, _ in scale.contestants()))

    def numbers(quantity: Quantity, model: str, data: str) -> dict[int, float]:
        values = {s.seed: s.numbers[str(quantity)] for s in results.scores if s.model == model}
        return {seed: value for seed, value in values.items() if value is not None}

    def clocks(quantity: Quantity, model: str, data: str) -> dict[int | None, Time]:
        return dict(times_by_seed(results.scores, quantity, model, data))

    judgements = judge(claim.statements, benchmarks, numbers, clocks)
    return Judged(claim, scale, results, results, judgements, [])


def timed(model: str, seed: int, seconds: float, known: Known) -> Score:
    names = ("seconds until nll is 0", "seconds until nll is 1.25")
    bounds = {} if known == "exactly" else {names[1]: known}
    numbers = {names[0]: 100.0 * (seed - 30), names[1]: seconds}
    return Score("gp_transfer", model, seed, numbers, "x", 10, 1.0, "cpu", "a1", bounds)


def test_a_mean_over_bounds_is_marked_and_has_no_interval() -> None:
    """Only asnp_w's times are all exact: 60, 70 and 80 have an interval of 4.303 * 10 / sqrt(3)."""
    bounds: dict[str, tuple[Known, Known, Known]] = {
        "asnp_rmr": ("at most", "at most", "exactly"),
        "asnp_w": ("exactly", "exactly", "exactly"),
        "snp": ("exactly", "at least", "exactly"),
        "anp": ("at most", "exactly", "at least"),
    }
    scores = [
        timed(model, seed, 10.0 * (seed - 25), known)
        for model, kinds in bounds.items()
        for seed, known in zip((31, 32, 33), kinds, strict=True)
    ]
    written = report(judged_again("A7", ClaimResults(3, scores, [])), [], Path())
    exact = "| 3 | 200 [0, 448] |"
    for row in (
        f"| asnp_rmr {exact} at most 70 (2 of 3 at the first validation) |",
        f"| asnp_w {exact} 70 [45, 95] |",
        f"| snp {exact} at least 70 (1 of 3 never) |",
        f"| anp {exact} unknown (1 of 3 never, 1 of 3 at the first validation) |",
    ):
        assert row in written


def test_the_committed_report_marks_its_bounds() -> None:
    results = read_claim_results(ROOT / "docs/claims/A7/results.json")
    written = report(judged_again("A7", results), [], Path())
    assert (
        "| asnp_rmr | 3 | 227 [77, 376] | at most 86 (3 of 3 at the first validation) |" in written
    )
    assert "| snp | 3 | at least 229 (3 of 3 never) |" in written


def test_statements_that_a_scale_cannot_judge_are_listed() -> None:
    """A4 has digits with sparse contexts only; what would hold rests on two of four statements."""
    of_model = {"asnp_rmr": 0.1, "asnp_w": 0.9, "snp": 0.5, "anp": 0.5}
    scores = [
        Score("digits_sparse", model, seed, {"nll": nll + seed / 1e3}, "x", 10, 1.0, "cpu", "a1")
        for model, nll in of_model.items()
        for seed in (31, 32, 33)
    ]
    judged = judged_again("A4", ClaimResults(3, scores, []))
    assert line(judged).startswith("A4 holds (2 of 4 statements) at cpu scale: 2 holds; 3 seeds")
    written = document([(judged, [])], Path())
    assert "| A4 | **holds (2 of 4 statements)** | cpu |" in written
    assert "## A4: holds (2 of 4 statements) at cpu scale" in written
    assert "- **holds**: RMR is best with sparse contexts (without faces_sparse)\n" in written
    assert "- **not judged at this scale**: RMR is best after the last context\n" in written
    assert "| benchmark | model | seeds | nll |\n" in written, "no column of the others"
