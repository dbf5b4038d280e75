"""Which combinations a sweep tries, and what their runs are called."""

import math
from itertools import islice

import pytest

from lightning_modules.command_line.sweep.bayesian_search import BayesianSearch
from lightning_modules.command_line.sweep.parameter import Choice, Interval, read_parameter
from lightning_modules.command_line.sweep.run_names import LONGEST, run_name
from lightning_modules.command_line.sweep.trials import (
    FixedTrials,
    Search,
    Trial,
    draws,
    grid,
    one_by_one,
)

CORES = Choice(("DNC", "NTM"))
SLOTS = Choice((9, 25, 100))
SPACE = {
    "model.memory": CORES,
    "model.memory.slots": Interval(4, 64, whole=True),
    "model.learning_rate": Interval(1e-4, 1e-1, logarithmic=True),
    "model.beta": Interval(-1.0, 1.0),
}


def all_of(search: Search) -> list[Trial]:
    trials: list[Trial] = []
    while trial := search.propose():
        trials.append(trial)
        search.learn(trial, 0.0)
    return trials


def test_grid_has_every_combination_once() -> None:
    combinations = list(grid({"a": CORES, "b": SLOTS}))
    assert len(combinations) == 6
    assert combinations[:4] == [
        {"a": "DNC", "b": 9},
        {"a": "DNC", "b": 25},
        {"a": "DNC", "b": 100},
        {"a": "NTM", "b": 9},
    ]


def test_limit_ends_a_grid() -> None:
    trials = all_of(FixedTrials(grid({"a": SLOTS}), 2))
    assert trials == [Trial(1, {"a": 9}), Trial(2, {"a": 25})]
    assert len(all_of(FixedTrials(grid({"a": SLOTS}), None))) == 3


def test_every_example_is_checked_once() -> None:
    values = list(one_by_one({"a": CORES, "b": SLOTS}))
    assert values == [
        {"a": "DNC", "b": 9},
        {"a": "NTM", "b": 9},
        {"a": "DNC", "b": 25},
        {"a": "DNC", "b": 100},
    ]


def test_draws_are_the_same_every_time_and_more_begin_alike() -> None:
    few, many = (list(islice(draws(SPACE), number)) for number in (5, 20))
    assert many[:5] == few
    assert len({str(values) for values in many}) == 20


def test_draws_fill_their_intervals() -> None:
    drawn = list(islice(draws(SPACE), 400))
    assert {values["model.memory"] for values in drawn} == {"DNC", "NTM"}
    slots = [values["model.memory.slots"] for values in drawn]
    assert all(type(number) is int for number in slots)
    assert (min(slots), max(slots)) == (4, 64)
    exponents = [math.log10(values["model.learning_rate"]) for values in drawn]
    for order in (-4, -3, -2):
        assert 100 < sum(order <= exponent < order + 1 for exponent in exponents) < 170
    betas = [values["model.beta"] for values in drawn]
    assert min(betas) < -0.95 and max(betas) > 0.95
    assert sum(betas) / len(betas) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ({"values": [1, "a"]}, Choice((1, "a"))),
        ({"value": 3}, Choice((3,))),
        ({"min": 1, "max": 4}, Interval(1, 4, whole=True)),
        ({"min": 1.0, "max": 4}, Interval(1.0, 4)),
        ({"distribution": "uniform", "min": 1, "max": 4}, Interval(1, 4)),
        (
            {"distribution": "log_uniform_values", "min": 0.1, "max": 1},
            Interval(0.1, 1, logarithmic=True),
        ),
    ],
)
def test_parameters_are_read_as_wandb_does(content: dict, meant: Choice | Interval) -> None:
    assert read_parameter("parameters.x", content) == meant


def test_bayes_finds_the_best_and_repeats_itself() -> None:
    space = {"x": Interval(0.0, 10.0), "core": CORES, "list": Choice(([1], [2, 3]))}

    def searched(limit: int) -> list[tuple[float, Trial]]:
        search, found = BayesianSearch(space, "minimize", limit), []
        while trial := search.propose():
            loss = (trial.values["x"] - 7) ** 2 + (trial.values["core"] == "DNC")
            search.learn(trial, loss)
            found.append((loss, trial))
        return found

    found = searched(40)
    assert [trial.number for _, trial in found] == list(range(1, 41))
    assert found[:15] == searched(15)
    assert min(loss for loss, _ in found) < 0.1
    later = [trial.values["x"] for _, trial in found[20:]]
    assert sum(abs(x - 7) < 2 for x in later) > 10


def test_bayes_goes_on_where_it_was() -> None:
    space = {"x": Interval(0.0, 1.0), "core": CORES}
    first = BayesianSearch(space, "maximize", 3)
    before = all_of(first)
    again = BayesianSearch(space, "maximize", 5, before)
    trials = all_of(again)
    assert trials[:3] == before
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5]
    assert len({trial.values["x"] for trial in trials}) == 5


def test_bayes_is_not_put_off_by_runs_without_a_result() -> None:
    search = BayesianSearch({"x": Interval(0.0, 1.0)}, "maximize", 15)
    while trial := search.propose():
        search.learn(trial, None)
    assert search.proposed == 15


def test_names_say_what_varies() -> None:
    values = {
        "config": "conf/asnp_rmr_gp_transfer.yaml",
        "model.memory": "NTM",
        "model.learning_rate": 0.001,
        "model.memory.slots": 16,
        "model.memory.sharp": True,
        "data.grids": [2, 3],
        "seed_everything": 2,
    }
    name = run_name(Trial(3, values), list(values), numbered=False)
    assert name == "asnp_rmr_gp_transfer-NTM-learning_rate0.001-slots16-sharp_true-grids_2_3-seed2"
    assert run_name(Trial(3, values), ["model.memory"], numbered=True) == "003-NTM"
    assert run_name(Trial(1, values), [], numbered=False) == "run"


def test_names_tell_settings_of_one_name_apart() -> None:
    values = {"model.size": 1, "data.size": 2}
    assert run_name(Trial(1, values), list(values), False) == "model.size1-data.size2"


def test_long_names_are_cut_and_differ() -> None:
    trials = [Trial(1, {f"key{n}": "x" * 20 for n in range(6)} | {"last": n}) for n in range(9)]
    names = {run_name(trial, list(trial.values), False) for trial in trials}
    assert len(names) == 9
    assert {len(name) for name in names} == {LONGEST}
