"""Scores: where 0 and 1 are, and which runs count."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lightning_modules
from lightning_modules.declarations import Family
from lightning_modules.records.before_declarations import declared_before, with_scoring
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.model_file import DeclaredModel
from lightning_modules.records.reader import read_runs
from lightning_modules.records.scores import ScoredBenchmark, Unscored, scored
from tests.lightning_modules.records.made_up_runs import STEPS, Runs, settings_of

RECORDS = Path(__file__).parents[3] / "docs/records"


def found_in(runs: Runs) -> ScoredBenchmark | Unscored:
    """Scores of the only benchmark, or the reason why it has none."""
    (benchmark,) = by_benchmark(read_runs([runs.root]).runs)
    return scored(benchmark)


def scores_in(runs: Runs) -> ScoredBenchmark:
    found = found_in(runs)
    assert isinstance(found, ScoredBenchmark)
    return found


def test_no_memory_is_0_and_a_perfect_one_1(runs: Runs) -> None:
    """Ratios of 1.8 and 2.2 without memory: their mean is the floor of all seeds."""
    for seed, (none, dnc, worse) in enumerate(((18.0, 4.0, 30.0), (22.0, 8.0, 30.0))):
        runs.frames("NoMemory", seed, none)
        runs.frames("DNC", seed, dnc)
        runs.frames("RMR", seed, worse)
    runs.frames("NTM", 0, 0.0)
    found = scores_in(runs)
    assert found.measure.name == "recall_ratio" and found.floor == pytest.approx(2.0)
    assert found.scores("DNC").tolist() == pytest.approx([0.8, 0.6])
    assert found.scores("NTM").tolist() == [1.0]
    assert found.scores("RMR").tolist() == pytest.approx([-0.5, -0.5]), "nothing is clipped"
    assert found.estimate("NoMemory").mean == pytest.approx(0.0, abs=1e-9)
    # Student's quantile of one degree of freedom, times the standard error of 0.8 and 0.6.
    assert found.estimate("DNC").margin == pytest.approx(12.706205 * 0.1)
    assert found.in_words("Introspection", 2) == "-"


def write(runs: Runs, core: str, data: str, **scalars: float) -> None:
    """A tested GTMM, or an ASNP if it has an NLL."""
    model, curve = ("ASNP", "nll") if "nll" in scalars else ("GTMM", "kl")
    settings = settings_of(model, core, {}, data, {})
    validated = "nll" if model == "ASNP" else "bound"
    runs.write(core, 0, settings, {"bound": -1.0, **scalars}, {curve: [1.0] * STEPS}, validated)


def test_a_share_that_should_be_large_counts_up(runs: Runs) -> None:
    """On parity recall the KL ratio would suggest that everything is remembered."""
    write(runs, "NoMemory", "ParityRecall", prior_recall_class_accuracy=0.5, recall_ratio=0.7)
    write(runs, "DNC", "ParityRecall", prior_recall_class_accuracy=0.9, recall_ratio=0.7)
    found = scores_in(runs)
    assert found.measure.name == "prior_recall_class_accuracy"
    assert found.scores("DNC").tolist() == pytest.approx([0.8])


def test_functions_have_the_oracle_as_1(runs: Runs) -> None:
    write(runs, "NoMemory", "DriftingFunctions", nll=1.5, gap_nll=2.0, mse=0.4)
    write(runs, "RMR", "DriftingFunctions", nll=0.0, gap_nll=0.5, mse=0.1)
    found = scores_in(runs)
    assert found.measure.name == "gap_nll"
    assert found.scores("RMR").tolist() == pytest.approx([1 - 0.5 / 2.0])


def test_functions_without_an_oracle_have_no_score(runs: Runs) -> None:
    """Squared error has no perfect value there: functions are unknown between contexts."""
    write(runs, "NoMemory", "DriftingFunctions", nll=1.5, mse=0.4)
    write(runs, "RMR", "DriftingFunctions", nll=0.0, mse=0.1)
    found = found_in(runs)
    assert isinstance(found, Unscored)
    assert found.reason == "none of its measures has a known perfect value"


def test_pictures_have_the_true_picture_as_1(runs: Runs) -> None:
    write(runs, "NoMemory", "MovingDigits", nll=-0.5, mse=0.04)
    write(runs, "RMR", "MovingDigits", nll=-0.9, mse=0.03)
    assert scores_in(runs).scores("RMR").tolist() == pytest.approx([0.25])


@pytest.mark.parametrize(
    ("without", "reason"),
    [({}, "no model without a memory was tested there"), ({"NoMemory": 0.0}, "is perfect there")],
)
def test_what_has_no_floor_has_no_score(runs: Runs, without: dict[str, float], reason: str) -> None:
    for core, kl in ({"DNC": 2.0} | without).items():
        runs.frames(core, 0, kl)
    found = found_in(runs)
    assert isinstance(found, Unscored) and reason in found.reason


@pytest.mark.parametrize("other", [{"batch_size": 64}, {"train_size": 20}])
def test_runs_that_were_trained_otherwise_are_left_out(runs: Runs, other: dict[str, Any]) -> None:
    for seed in range(2):
        runs.frames("NoMemory", seed, 10.0)
        runs.frames("DNC", seed, 2.0)
        runs.frames("NTM", seed, 1.0, run=f"other{seed}", data=other)
    runs.frames("DNC", 5, 0.1, run="other", data=other)
    found = scores_in(runs)
    assert set(found.groups) == {"NoMemory", "DNC"}
    assert found.scores("DNC").tolist() == pytest.approx([0.8, 0.8])
    assert found.notes == [
        "Perfect recall: runs of DNC, NTM that were not trained as NoMemory was are left out"
    ]


def test_where_two_trainings_compare_the_one_with_more_contestants_counts(runs: Runs) -> None:
    for core in ("NoMemory", "DNC", "NTM"):
        runs.frames(core, 0, 2.0 + 8 * (core == "NoMemory"))
    for core in ("NoMemory", "DNC"):
        for seed in range(3):
            runs.frames(core, seed, 5.0, run=f"{core}-long{seed}", data={"train_size": 9})
    assert scores_in(runs).scores("DNC").tolist() == pytest.approx([0.8])


def test_a_setting_that_came_later_and_is_off_changes_nothing(runs: Runs) -> None:
    runs.frames("NoMemory", 0, 10.0)
    runs.frames("DNC", 0, 2.0, data={"invented": None, "switch": False}, memory={"slots": None})
    assert scores_in(runs).scores("DNC").tolist() == pytest.approx([0.8])


def test_of_variants_the_plainest_counts(runs: Runs) -> None:
    runs.frames("NoMemory", 0, 10.0)
    runs.frames("DNC", 0, 2.0, memory={"slots": None, "sparse": False})
    runs.frames("DNC", 1, 1.0, run="a", memory={"slots": 9, "sparse": False})
    runs.frames("DNC", 2, 0.5, run="b", memory={"slots": None, "sparse": True})
    found = scores_in(runs)
    assert found.scores("DNC").tolist() == pytest.approx([0.8])
    (note,) = found.notes
    assert note.startswith("Perfect recall: DNC is GTMM (DNC, slots=None), not")
    assert "slots=9" in note and "slots=None, sparse" in note


def test_of_variants_that_are_equally_plain_none_counts(runs: Runs) -> None:
    runs.frames("NoMemory", 0, 10.0)
    runs.frames("NTM", 0, 5.0)
    for slots in (9, 16):
        runs.frames("DNC", slots, slots / 10, memory={"slots": slots})
    found = scores_in(runs)
    assert set(found.groups) == {"NoMemory", "NTM"}
    (note,) = found.notes
    assert "DNC has no score" in note and "slots=9" in note and "slots=16" in note


def test_a_contestant_that_diverged_is_missing_and_named(runs: Runs) -> None:
    runs.frames("NoMemory", 0, 10.0)
    runs.frames("NTM", 0, 5.0)
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["scalars"]["recall_ratio"] = None
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    found = scores_in(runs)
    assert set(found.groups) == {"NoMemory", "NTM"}
    assert found.notes == ["Perfect recall: DNC has no KL ratio, old"]


def test_records_of_before_scores_have_some() -> None:
    """Their families lack perfect values; a VRNN and a GTMM without memory have one core."""
    (benchmark,) = by_benchmark(read_runs([RECORDS / "maze"]).runs)
    found = scored(benchmark)
    assert isinstance(found, ScoredBenchmark)
    assert found.memoryless == "NoMemory" and {"VRNN", "DNC"} <= set(found.groups)
    assert found.groups["VRNN"].model == "VRNN" and found.groups["NoMemory"].model == "GTMM"
    dnc = found.groups["DNC"].scalar("recall_ratio_late").mean
    none = found.groups["NoMemory"].scalar("recall_ratio_late").mean
    assert found.estimate("DNC").mean == pytest.approx(float(1 - dnc / none))


def without_scores(family: Family) -> Family:
    measures = tuple(replace(measure, perfect=None) for measure in family.measures)
    return replace(family, measures=measures, memoryless=())


@pytest.mark.parametrize("model", lightning_modules.MODELS, ids=lambda model: model.__name__)
def test_old_declarations_are_completed_by_today_s(model: Any) -> None:
    today = declared_before(model.__name__, None, [])
    old = replace(today, family=without_scores(today.family))
    assert with_scoring(old) == today
    unknown = replace(old, family=replace(old.family, name="things of somebody"))
    assert with_scoring(unknown) == unknown
    other: DeclaredModel = replace(today, family=replace(today.family, memoryless=("Mine",)))
    assert with_scoring(other) == other


@pytest.mark.parametrize("family", lightning_modules.families(), ids=lambda family: family.name)
def test_what_is_perfect_is_better_than_anything_else(family: Family) -> None:
    perfect = [measure for measure in family.measures if measure.perfect is not None]
    assert perfect and family.memoryless
    assert all(measure.better in ("higher", "lower") and measure.header for measure in perfect)
