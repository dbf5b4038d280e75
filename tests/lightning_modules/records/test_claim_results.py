"""Quantities of runs that statements need, and the file that stores them."""

import json
from pathlib import Path

import pytest

from lightning_modules.records.claim_results import (
    ClaimResults,
    Diverged,
    Score,
    by_seed,
    joined,
    matching,
    number_of,
    read_claim_results,
    score_of,
    seeds_without,
    times_by_seed,
    used_test_sets,
    write_claim_results,
)
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.statements import Quantity, Statement, judge
from tests.lightning_modules.records.made_up_runs import Runs

RATIO = Quantity("recall_ratio", None)


def run_of(runs: Runs, seed: int = 0, kl: float = 2.0, steps: int = 10) -> Run:
    """A run whose KL rises to ``kl`` in equal steps; its recall ratio is ``kl`` / 10."""
    (run,) = read_runs([runs.frames("DNC", seed, kl, steps=steps)]).runs
    return run


def score(model: str = "dnc", seed: int = 31, number: float = 0.5, test_set: str = "x") -> Score:
    return Score("maze", model, seed, {"recall_ratio": number}, test_set, 3000, 60.0, "cpu", "a1")


def test_steps_of_a_curve_are_averaged_from_the_first_to_the_last(runs: Runs) -> None:
    """KL is 0.2, 0.4, ..., 2.0: of steps 3 to 5 it is 0.6, 0.8 and 1.0."""
    run = run_of(runs)
    assert number_of(run, Quantity("kl", (3, 5))) == pytest.approx(0.8)
    assert number_of(run, Quantity("kl", (1, 1))) == pytest.approx(0.2)
    assert number_of(run, Quantity("kl", (10, 10))) == pytest.approx(2.0)


def test_steps_that_a_sequence_does_not_have_are_not_known(runs: Runs) -> None:
    run = run_of(runs)
    scored = score_of(run, "recall", "dnc", [_statement(Quantity("kl", (9, 11)))], "a1")
    assert scored.numbers == {"kl, steps 9 to 11": None}
    assert by_seed([scored], Quantity("kl", (9, 11)), "dnc", "recall") == {}


def test_a_run_gives_measures_and_its_number_of_parameters(runs: Runs) -> None:
    run = run_of(runs, seed=7)
    scored = score_of(
        run, "recall", "dnc", [_statement(RATIO), _statement(Quantity("parameters", None))], "a1"
    )
    assert scored.numbers == {"recall_ratio": 0.2, "parameters": 1007.0}
    assert (scored.seed, scored.training_steps) == (7, 3000)


def test_times_are_read_from_validations_and_kept_with_their_bounds(
    runs: Runs, tmp_path: Path
) -> None:
    """The NLL falls by 1 every 5 seconds, to 1.0 after 500 seconds; at 2.5 it is halfway."""
    (run,) = read_runs([runs.functions("RMR", 0, nll=1.0)]).runs
    when, never = (Quantity("nll", None, level) for level in (2.5, 0.5))
    scored = score_of(run, "gp", "rmr", [_statement(when), _statement(never)], "a1")
    assert scored.numbers == {"seconds until nll is 2.5": 492.5, "seconds until nll is 0.5": 500.0}
    times = [times_by_seed([scored], quantity, "rmr", "gp")[0] for quantity in (when, never)]
    assert [time.known for time in times] == ["exactly", "at least"]
    write_claim_results(tmp_path / "a.json", "cpu", ClaimResults(3, [scored], []), [])
    assert read_claim_results(tmp_path / "a.json").scores == [scored]
    without = score_of(run._replace(history=None), "gp", "rmr", [_statement(when)], "a1")
    assert times_by_seed([without], when, "rmr", "gp") == {}


def test_numbers_are_those_of_one_model_and_benchmark() -> None:
    scores = [score(), score(seed=32, number=0.7), score("ntm"), score()._replace(data="other")]
    assert by_seed(scores, RATIO, "dnc", "maze") == {31: 0.5, 32: 0.7}


def test_current_runs_replace_stored_ones() -> None:
    """A run that diverges now replaces its score from before, and the reverse."""
    lost = Diverged("maze", "dnc", 34, "a1")
    stored = ClaimResults(5, [score(number=0.1), score(seed=32), score(seed=33)], [lost])
    now = ClaimResults(3, [score(number=0.9), score(seed=34)], [lost._replace(seed=33)])
    assert joined(stored, now) == ClaimResults(
        3, [score(number=0.9), score(seed=34), score(seed=32)], [lost._replace(seed=33)]
    )
    assert joined(stored, ClaimResults(5, [], [])) == stored


def test_results_of_other_settings_do_not_match() -> None:
    """Nor do those of models that a claim no longer has, or from before there were hashes."""
    lost = Diverged("maze", "dnc", 34, "a1")
    scores = [score(), score()._replace(settings=""), score("ntm"), score("lru")]
    stored = ClaimResults(3, scores, [lost, lost._replace(settings="b2")])
    now = {("maze", "dnc"): "a1", ("maze", "ntm"): "b2"}
    assert matching(stored, now) == ClaimResults(3, [score()], [lost])


def test_seeds_without_a_number_are_those_that_diverged_before_or_in_the_test() -> None:
    """A result without the quantity's name is from before it was asked for."""
    unasked = score(seed=33)._replace(numbers={"kl": 1.0})
    nan_in_test = score(seed=34)._replace(numbers={"recall_ratio": None})
    lost = [Diverged("maze", "dnc", 35, "a1"), Diverged("maze", "ntm", 36, "a1")]
    results = ClaimResults(8, [score(), unasked, nan_in_test], lost)
    assert seeds_without(results, RATIO, "dnc", "maze") == {34, 35}
    assert seeds_without(results, RATIO, "dnc", "recall") == set()


def test_test_sets_are_listed_by_benchmark() -> None:
    scores = [score(), score(seed=32, test_set="y"), score("ntm"), score()._replace(data="gp")]
    assert used_test_sets(scores) == {"maze": ["x", "y"], "gp": ["x"]}


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, statement = tmp_path / "results.json", _statement(RATIO)
    lost = Diverged("maze", "dnc", 34, "a1")
    results = ClaimResults(3, [score(), score(seed=32)], [lost])

    def numbers(quantity: Quantity, model: str, data: str) -> dict[int | None, float]:
        return {31: 0.5, 32: 0.7, 33: 0.6}

    write_claim_results(path, "cpu", results, judge([statement], ["maze"], numbers))
    assert read_claim_results(path) == results
    written = path.read_text(encoding="utf-8")
    assert '"verdict": "holds"' in written and '"settings": "a1"' in written
    old = json.loads(written)
    del old["diverged"]
    path.write_text(json.dumps(old), encoding="utf-8")
    assert read_claim_results(path).diverged == []
    path.write_text(written.replace('"seed":', '"sed":'), encoding="utf-8")
    with pytest.raises(Unreadable, match="not have the form"):
        read_claim_results(path)


def _statement(quantity: Quantity) -> Statement:
    return Statement(quantity, ("dnc",), "below", 0.9, 0.0, (), "")
