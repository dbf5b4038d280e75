"""Times until a level is reached, and the verdicts that their bounds allow."""

from math import exp, log

import pytest
import torch

from lightning_modules.declarations import Measure
from lightning_modules.records.metrics_file import History
from lightning_modules.records.reaching import Time, Times, ratios, time_to
from lightning_modules.records.statements import Comparison, Quantity, Relation, Statement, judge

NLL = Measure("nll", "", "nats", "lower")
SEEDS = (31, 32, 33)


def history(values: list[float], name: str = "nll") -> History:
    """A validation every 100 seconds."""
    seconds = 100 * torch.arange(1, len(values) + 1, dtype=torch.float64)
    column = torch.tensor(values, dtype=torch.float64)
    return History(seconds / 2, seconds, {name: column}, "", torch.empty(0))


@pytest.mark.parametrize(
    ("values", "level", "seconds", "known"),
    [
        ([2.0, 1.0, 0.0], 0.25, 275.0, "exactly"),  # three quarters of the way from 1 to 0
        ([2.0, 1.0, 0.0], 1.0, 200.0, "exactly"),
        ([2.0, 0.5, 1.5, 0.0], 1.0, 100 + 200 / 3, "exactly"),  # the first time counts
        ([2.0, float("nan"), 0.0], 1.0, 200.0, "exactly"),  # halfway from 100 to 300
        ([2.0, 1.0, 0.5], 0.25, 300.0, "at least"),
        ([2.0, 1.0, 0.5], 2.5, 100.0, "at most"),
    ],
)
def test_a_level_is_reached_between_validations(
    values: list[float], level: float, seconds: float, known: str
) -> None:
    found = time_to(history(values), NLL, level, "cpu")
    assert found == (pytest.approx(seconds), known, "cpu")


def test_higher_is_better_for_a_bound() -> None:
    bound = Measure("bound", "", "nats", "higher")
    rising = history([-40.0, -20.0, -10.0], "bound")
    assert time_to(rising, bound, -15.0, None) == (pytest.approx(250), "exactly", None)
    assert time_to(rising, NLL, -15.0, None) is None
    assert time_to(history([float("nan")]), NLL, 0.0, None) is None


def times(*seconds: float, known: str = "exactly", hardware: str | None = "cpu") -> Times:
    return {seed: Time(s, known, hardware) for seed, s in zip(SEEDS, seconds, strict=True)}


def compared(own: Times, other: Times, times: float = 1.25, by: Relation = "below") -> Comparison:
    """The claim that the time of a is below (or above) a multiple of that of b."""
    margin = -log(times) if by == "below" else log(times)
    claimed = Statement(Quantity("nll", None, 0.0), ("a",), by, ("b",), margin, (), "")
    assert claimed.factor == pytest.approx(times)
    clocks = {"a": own, "b": other}
    (judged,) = judge([claimed], ["gp"], lambda *_: {}, lambda quantity, model, data: clocks[model])
    return judged.comparisons[0]


#: Ratios of these to 100 seconds have a geometric mean of 1 and a 95% interval of [0.770, 1.299].
AROUND = times(90.0, 100.0, 100 / 0.9)
HUNDRED = times(100.0, 100.0, 100.0)


def test_ratios_are_averaged_as_logs() -> None:
    found = compared(AROUND, HUNDRED).difference
    assert found.pairs == 3 and exp(found.mean) == pytest.approx(1)
    # Logs are -l, 0 and l, with a standard deviation of l; 4.303 standard errors to both sides.
    assert found.margin == pytest.approx(4.3027 * -log(0.9) / 3**0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.31, "holds"), (1.29, "undecided"), (0.77, "undecided")]
)
def test_the_whole_interval_must_be_below_the_factor(factor: float, verdict: str) -> None:
    """Its ends are exp(0.2617) = 1.299 and 0.770."""
    assert compared(AROUND, HUNDRED, factor).verdict == verdict
    assert compared(HUNDRED, AROUND, 1 / factor, by="above").verdict == verdict


def test_swapped_times_have_the_opposite_verdict() -> None:
    slow = times(190.0, 200.0, 210.0)
    assert compared(HUNDRED, slow).verdict == "holds"
    assert compared(slow, HUNDRED).verdict == "fails"
    assert compared(HUNDRED, slow, 0.8, by="above").verdict == "fails"
    assert compared(slow, HUNDRED, 0.8, by="above").verdict == "holds"


def test_a_reference_that_never_gets_there_may_support_but_not_contradict() -> None:
    late = {**HUNDRED, 32: Time(100.0, "at least", "cpu")}
    fast, slow = times(50.0, 51.0, 52.0), times(190.0, 200.0, 210.0)
    assert compared(fast, late).verdict == "holds", "the true ratios are at most these"
    assert compared(slow, HUNDRED).verdict == "fails"
    assert compared(slow, late).verdict == "undecided", "the true ratio may be below 1"
    assert compared(slow, late).may_hold and not compared(slow, late).may_fail


def test_a_model_that_never_gets_there_may_be_contradicted_but_not_supported() -> None:
    for known in ("at least", "at most"):
        short = {**times(50.0, 51.0, 52.0), 33: Time(52.0, known, "cpu")}
        long = {**times(190.0, 200.0, 210.0), 33: Time(210.0, known, "cpu")}
        right_censored = known == "at least"
        assert compared(short, HUNDRED).verdict == ("undecided" if right_censored else "holds")
        assert compared(long, HUNDRED).verdict == ("fails" if right_censored else "undecided")


def test_a_pair_in_which_nobody_gets_there_leaves_all_undecided() -> None:
    for own, other in (("at least", "at least"), ("at most", "at most")):
        fast = {**times(50.0, 51.0, 52.0), 31: Time(50.0, own, "cpu")}
        slow = {**times(190.0, 200.0, 210.0), 31: Time(190.0, other, "cpu")}
        assert compared(fast, slow).verdict == compared(slow, fast).verdict == "undecided"


def test_seconds_on_different_hardware_are_left_out() -> None:
    fast = times(50.0, 51.0, 52.0)
    mixed = {**HUNDRED, 32: Time(100.0, "exactly", "another")}
    found = compared(fast, mixed)
    assert (found.difference.pairs, found.apart, found.verdict) == (2, 1, "undecided")
    nowhere = compared(fast, times(100.0, 100.0, 100.0, hardware=None))
    assert (nowhere.difference.pairs, nowhere.apart, nowhere.verdict) == (0, 3, "undecided")
    unknown = times(1.0, 1.0, 1.0, hardware=None)
    assert ratios(unknown, unknown).apart == 3, "two unknown machines need not be the same"
    # Each pair may have its own machine, whose speed cancels in the ratio.
    each = {s: t._replace(hardware=str(s)) for s, t in fast.items()}
    others = {s: t._replace(hardware=str(s)) for s, t in HUNDRED.items()}
    assert compared(each, others).verdict == "holds"


def test_words_of_a_statement_about_time() -> None:
    claimed = Statement(Quantity("nll", None, 0.5), ("a",), "below", ("b",), -log(1.25), (), "")
    assert claimed.in_words() == "seconds until nll is 0.5 of a below 1.25 times that of b"
