"""What a sweep proposes, what it remembers, and how it goes on after any end."""

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from lightning_modules.command_line.sweep.parameter import suggested_value
from lightning_modules.command_line.sweep.study import NAME, SweepStudy, _sampler, require_own
from lightning_modules.command_line.usage_error import UsageError

Opened = Callable[..., SweepStudy]
SPACE = {
    "core": {"values": ["DNC", "NTM"]},
    "slots": {"min": 4, "max": 64},
    "rate": {"min": 1e-4, "max": 1e-1, "distribution": "log_uniform_values"},
    "beta": {"min": -1.0, "max": 1.0},
}
COMBINATIONS = [(x, core) for x in (1, 2, 3) for core in ("DNC", "NTM")]


def tried(study: SweepStudy, total: int, score: float = 0.0) -> list[dict[str, Any]]:
    """Values of all proposals, each of which gets the same score."""
    found = []
    for proposal in study.proposals(total):
        found.append(dict(proposal.values))
        if proposal.trial is not None:
            study.complete(proposal.trial, [score])
    return found


def states(study: SweepStudy) -> list[str]:
    return [trial.state.name for trial in study.study.get_trials()]


def test_grid_has_every_combination_once(opened: Opened) -> None:
    study = opened()
    proposals = list(study.proposals(6))
    assert [proposal.number for proposal in proposals] == [1, 2, 3, 4, 5, 6]
    assert sorted((p.values["x"], p.values["core"]) for p in proposals) == COMBINATIONS


def test_a_longer_grid_begins_alike(opened: Opened) -> None:
    few = tried(opened(), 2)
    all_ = tried(opened(), 6)
    assert all_[:2] == few
    assert sorted((values["x"], values["core"]) for values in all_) == COMBINATIONS


@pytest.mark.parametrize("fate", ["complete", "fail", "none", "killed"])
def test_a_table_s_grid_keeps_the_order_of_its_file(
    opened: Opened, tmp_path: Path, fate: str
) -> None:
    """Whatever became of the runs of before, the next ones are the next in the file."""
    file = opened().file._replace(in_order=True)
    study = SweepStudy(tmp_path, file)
    first = [*islice(study.proposals(6), 3)]
    assert [(p.values["x"], p.values["core"]) for p in first] == COMBINATIONS[:3]
    for proposal in first:
        assert proposal.trial is not None
        if fate == "complete":
            study.complete(proposal.trial, [1.0])
        elif fate == "fail":
            study.fail(proposal.trial)
    if fate == "killed":  # with one value drawn and none of the other
        study.study.sampler = _sampler(file, 4)
        study.study.ask().suggest_categorical("x", file.parameters["x"].choices)
    again = list(SweepStudy(tmp_path, file).proposals(6))
    by_number = sorted(again, key=lambda proposal: proposal.number)
    assert [(p.values["x"], p.values["core"]) for p in by_number] == COMBINATIONS


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_an_interrupted_sweep_draws_what_it_would_have_drawn(
    method: str, opened: Opened, tmp_path: Path
) -> None:
    whole = tried(opened(method, SPACE), 12)
    (tmp_path / NAME).unlink()
    part = tried(opened(method, SPACE), 7)
    study = opened(method, SPACE)
    going = list(islice(study.proposals(12), 7, 8))
    assert going[0].number == 8
    del study
    assert tried(opened(method, SPACE), 12)[1:8] == part == whole[:7]
    assert len({str(values) for values in whole}) == 12
    assert [t.state for t in opened(method, SPACE).study.get_trials()] == [TrialState.COMPLETE] * 12
    assert going[0].values == whole[7]


def test_draws_fill_their_intervals(opened: Opened) -> None:
    """Each is drawn from a seed of its own."""
    file = opened("random", SPACE).file
    study = optuna.create_study()
    drawn: list[dict[str, Any]] = []
    for seed in range(400):
        study.sampler = _sampler(file, seed)
        trial = study.ask()
        drawn.append({key: suggested_value(trial, key, p) for key, p in file.parameters.items()})
    assert {values["core"] for values in drawn} == {"DNC", "NTM"}
    slots = [values["slots"] for values in drawn]
    assert all(type(number) is int for number in slots)
    assert (min(slots), max(slots)) == (4, 64)
    exponents = [math.log10(values["rate"]) for values in drawn]
    for order in (-4, -3, -2):
        assert 100 < sum(order <= exponent < order + 1 for exponent in exponents) < 170
    betas = [values["beta"] for values in drawn]
    assert min(betas) < -0.95 and max(betas) > 0.95
    assert sum(betas) / len(betas) == pytest.approx(0, abs=0.1)


def test_bayes_finds_the_best(opened: Opened) -> None:
    space = {"x": {"min": 0.0, "max": 10.0}, "core": {"values": ["DNC", "NTM"]}}
    study, found = opened("bayes", space), []
    for proposal in study.proposals(40):
        loss = (proposal.values["x"] - 7) ** 2 + (proposal.values["core"] == "DNC")
        assert proposal.trial is not None
        study.complete(proposal.trial, [-100.0, -loss])
        found.append((loss, proposal.values["x"]))
    assert min(loss for loss, _ in found) < 0.1
    assert sum(abs(x - 7) < 2 for _, x in found[20:]) > 10


def test_a_run_without_a_score_is_the_worst(opened: Opened) -> None:
    """Half of the space has none; nor is a search put off if no run has one."""
    study = opened("bayes", {"x": {"min": 0.0, "max": 1.0}})
    later = []
    for proposal in study.proposals(30):
        x = proposal.values["x"]
        assert proposal.trial is not None
        study.complete(proposal.trial, [] if x < 0.5 else [math.nan, 1.0])
        later += [x] * (proposal.number > 15)
    assert sum(x > 0.5 for x in later) > 10
    values = {trial.value for trial in study.study.get_trials()}
    assert values == {-math.inf, 1.0}


def test_values_come_back_as_they_were_written(opened: Opened) -> None:
    """Optuna itself takes no lists, and takes 1 and true for the same."""
    values = [1, True, 1.0, "1", None, [1, [2]], {"a": 0.1}]
    drawn = [v["x"] for v in tried(opened("grid", {"x": {"values": values}}), 7)]
    assert sorted(map(repr, drawn)) == sorted(map(repr, values))


def test_unfinished_runs_go_on_first_and_failed_ones_are_tried_again(opened: Opened) -> None:
    study = opened()
    first = list(study.proposals(4))
    fates = [study.fail, lambda trial: study.complete(trial, [1.0]), study.prune]
    for proposal, fate in zip(first, fates, strict=False):
        assert proposal.trial is not None
        fate(proposal.trial)
    again = opened()
    second = list(again.proposals(4))
    assert [p.number for p in second] == [4, 1, 2, 3]
    assert [p.values for p in second] == [first[n - 1].values for n in (4, 1, 2, 3)]
    assert [p.trial is None for p in second] == [False, False, True, True]
    assert [p.ended for p in second] == [None, None, None, "pruned"]
    assert states(again) == ["FAIL", "COMPLETE", "PRUNED", "RUNNING", "RUNNING"]


@pytest.mark.parametrize("failing", [1, 5])
def test_a_failed_run_of_a_grid_costs_no_other_its_place(opened: Opened, failing: int) -> None:
    study = opened()
    for proposal in islice(study.proposals(6), 5):
        assert proposal.trial is not None
        if proposal.number == failing:
            study.fail(proposal.trial)
        else:
            study.complete(proposal.trial, [1.0])
    found = tried(opened(), 6)
    assert sorted((values["x"], values["core"]) for values in found) == COMBINATIONS
    assert states(opened()).count("COMPLETE") == 6


def test_a_failed_run_keeps_its_number_however_often_it_fails(opened: Opened) -> None:
    for _ in range(3):
        study = opened("random", SPACE)
        (proposal,) = study.proposals(1)
        assert proposal.trial is not None
        study.fail(proposal.trial)
        assert proposal.number == 1
    assert states(study) == ["FAIL", "FAIL", "FAIL"]
    study = opened("random", SPACE)
    more = list(study.proposals(2))
    assert [p.number for p in more] == [1, 2]
    assert more[0].values == proposal.values != more[1].values


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_a_kill_amid_a_proposal_costs_nothing(opened: Opened, method: str) -> None:
    """The trial is in the study, with one value or none; another one waits to be tried again."""
    parameters = {"x": {"values": [1, 2, 3]}, "core": {"values": ["DNC", "NTM"]}}
    study = opened(method, parameters)
    (first,) = study.proposals(1)
    assert first.trial is not None
    study.fail(first.trial)
    study.study.enqueue_trial(study.study.get_trials()[0].params, user_attrs={"again": 0})
    study.study.sampler = _sampler(study.file, 2)
    study.study.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING))
    again = opened(method, parameters)
    proposals = list(again.proposals(3))
    assert sorted(p.number for p in proposals) == [1, 2, 3]
    by_number = {p.number: p.values for p in proposals}
    assert by_number[1] == first.values
    assert all(set(values) == {"x", "core"} for values in by_number.values())
    for proposal in proposals:
        assert proposal.trial is not None
        again.complete(proposal.trial, [0.0])
    if method == "grid":
        found = tried(opened(), 6)
        assert sorted((values["x"], values["core"]) for values in found) == COMBINATIONS


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"settings": ("--a=2",)}, "other settings: --a=1\nrepeat them, or name another folder"),
        ({"settings": ()}, "other settings: --a=1"),
        ({"parameters": {"x": {"values": [1, 2, 3, 4]}}}, 'other parameters: {"x": '),
        ({"parameters": {"core": 0, "x": 0}}, "other parameters"),
        ({"method": "random"}, 'other method: "grid"'),
        ({"metric": {"name": "val/x"}}, 'other metric: {"name": "val/x", "goal": "maximize"}'),
        ({"command": ["fit", "--b=1", "${args}"]}, "other command"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1}}, "early_terminate: null"),
    ],
)
def test_other_settings_are_refused(opened: Opened, change: dict[str, Any], part: str) -> None:
    parameters = {"x": {"values": [1, 2]}, "core": {"values": ["DNC", "NTM"]}}
    before = {"parameters": parameters, "settings": ("--a=1",)}
    opened(**before)
    if change.get("parameters") == {"core": 0, "x": 0}:
        # Names of runs have them in their order.
        change = {"parameters": dict(reversed(parameters.items()))}
    with pytest.raises(UsageError) as refused:
        opened(**(before | change))
    assert part in str(refused.value)


def test_what_may_change_is_how_many_runs_there_are(opened: Opened) -> None:
    few = tried(opened(run_cap=2, name="one"), 2)
    assert tried(opened(run_cap=3, name="other"), 3)[:2] == few


def test_reports_are_judged_as_the_file_says(opened: Opened) -> None:
    """The best half goes on at validations 1, 2, 4 and so on, which count from 0."""
    rules = {"type": "hyperband", "min_iter": 1, "eta": 2}
    study = opened(early_terminate=rules)
    best, worse, late = (p.trial for p in islice(study.proposals(6), 3))
    assert best is not None and worse is not None and late is not None
    assert not study.report(best, [1.0])
    assert not study.report(worse, [0.0])
    assert not study.report(best, [1.0, 2.0, 2.5, 2.75])
    assert not study.report(worse, [0.0])
    assert study.report(worse, [0.0, 1.9])
    study.prune(worse)
    assert not study.report(late, [0.0, 3.0])
    assert study.report(late, [0.0, 3.0, 2.4])
    assert [trial.value for trial in study.study.get_trials()] == [None, 1.9, None]


def test_runs_are_judged_below_max_iter_only(opened: Opened) -> None:
    rules = {"type": "hyperband", "max_iter": 4, "s": 2, "eta": 2}
    study = opened(early_terminate=rules)
    best, worse = (p.trial for p in islice(study.proposals(6), 2))
    assert best is not None and worse is not None
    assert not study.report(best, [5.0] * 9)
    assert best.storage.get_trial(best._trial_id).intermediate_values == dict.fromkeys(
        range(4), 5.0
    )
    assert study.report(worse, [4.0, 4.0])
    study.complete(worse, [4.0] * 9)


def test_a_run_that_ended_before_it_was_judged_counts_for_others(opened: Opened) -> None:
    study = opened(early_terminate={"type": "hyperband", "min_iter": 1, "eta": 2})
    quick, worse = (p.trial for p in islice(study.proposals(6), 2))
    assert quick is not None and worse is not None
    study.complete(quick, [1.0, 2.0, 3.0])
    assert study.report(worse, [0.0, 1.0])


def test_reports_go_on_where_they_were(opened: Opened) -> None:
    rules = {"type": "hyperband", "min_iter": 3, "eta": 2}
    study = opened(early_terminate=rules)
    best, worse = (p.trial for p in islice(study.proposals(6), 2))
    assert best is not None and worse is not None
    study.report(best, [1.0, 2.0, 3.0, 4.0])
    study.report(worse, [0.0, 0.0])
    again = opened(early_terminate=rules)
    taken_up = {p.number: p.trial for p in islice(again.proposals(6), 2)}
    assert taken_up[1] is not None and taken_up[2] is not None
    assert not again.report(taken_up[1], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert again.report(taken_up[2], [0.0, 0.0, 0.0, 0.0])


def test_a_folder_is_made_and_found_again(tmp_path: Path, opened: Opened) -> None:
    require_own(tmp_path / "a/new one")
    require_own(tmp_path / "a/new one")
    opened()
    require_own(tmp_path)


@pytest.mark.parametrize("name", ["q?x#y", "p%20 ü{0}"])
def test_any_name_of_a_folder_will_do(tmp_path: Path, opened: Opened, name: str) -> None:
    file, folder = opened().file, tmp_path / name
    folder.mkdir()
    tried(SweepStudy(folder, file), 1)
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert states(SweepStudy(folder, file)) == ["COMPLETE"]
