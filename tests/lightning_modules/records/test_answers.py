"""Answers: which model is called best, which are tied with it, and when there is no answer."""

import pytest

from lightning_modules.records.answers import Answer, answers, tally, why_none
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.ranking import Ranking, ranked
from lightning_modules.records.reader import read_runs
from tests.lightning_modules.records.made_up_runs import Runs

#: KL ratios of seeds 0, 1 and 2. The NTM is behind the DNC by 0.01, -0.02 and 0.04, so p is 0.60;
#: the LRU by 0.2, 0.21 and 0.19, a mean of 34.6 standard errors.
RATIOS = {"DNC": (0.2, 0.22, 0.2), "NTM": (0.21, 0.2, 0.24), "LRU": (0.4, 0.43, 0.39)}


def rankings_of(runs: Runs) -> list[Ranking]:
    return [ranked(each) for each in by_benchmark(read_runs([runs.root]).runs)]


def found_among(runs: Runs) -> list[Answer]:
    return answers(rankings_of(runs))


def test_the_best_the_level_and_the_ones_behind(runs: Runs) -> None:
    for core, ratios in RATIOS.items():
        for seed, ratio in enumerate(ratios):
            runs.frames(core, seed, 10 * ratio)
    (found,) = found_among(runs)
    assert found.best.group.core == "DNC"
    assert [row.group.core for row in found.level] == ["NTM"]
    assert [row.group.core for row in found.behind] == ["LRU"]
    assert found.sizes().startswith("KL ratio, old ↓ 0.207 [0.178, 0.235], 3 seeds")
    against, behind = found.others()
    assert against == "No conclusion against GTMM (NTM)"
    assert behind == "Behind: GTMM (LRU) by +0.200 [+0.175, +0.225]"
    assert tally([found]).endswith("GTMM (DNC) on 1 of 1, GTMM (NTM) on 1 of 1.")


@pytest.mark.parametrize(
    ("seeds", "said"),
    (
        ({"DNC": "0", "NTM": "1"}, "these have none"),
        ({"DNC": "012", "NTM": "23"}, "these have one"),
        ({"DNC": "01", "NTM": "01", "LRU": "23"}, "these have two"),
        ({"DNC": "012"}, "no benchmark has two"),
    ),
)
def test_too_few_seeds_in_common_answer_nothing(
    runs: Runs, seeds: dict[str, str], said: str
) -> None:
    for core, several in seeds.items():
        for seed in map(int, several):
            runs.frames(core, seed, 2.0 + seed)
    assert found_among(runs) == []
    assert why_none(rankings_of(runs)) == (
        f"No answer yet: it needs two tested models with three seeds in common; {said}."
    )


def test_the_best_may_share_its_seeds_with_too_few(runs: Runs) -> None:
    # Only the DNC shares seeds with both others, so it is the reference.
    for core, seeds, ratio in (("NTM", "012", 1), ("DNC", "012345", 2), ("LRU", "345", 3)):
        for seed in map(int, seeds):
            runs.frames(core, seed, ratio + seed / 10)
    assert found_among(runs) == []
    assert why_none(rankings_of(runs)) == (
        "No answer yet: the best model shares three seeds with too few of the others."
    )


@pytest.mark.parametrize("alone", ("DNC", "LRU"))
def test_a_lone_model_is_not_the_best(runs: Runs, alone: str) -> None:
    for seed, ratio in enumerate(RATIOS[alone]):
        runs.frames(alone, seed, 10 * ratio)
    assert found_among(runs) == []


def test_a_single_seed_is_neither_best_nor_behind(runs: Runs) -> None:
    for core, ratios in RATIOS.items():
        for seed, ratio in enumerate(ratios):
            runs.frames(core, seed, 10 * ratio)
    runs.frames("RMR", 0, 0.1)
    (found,) = found_among(runs)
    named = [found.best, *found.level, *found.behind]
    assert [row.group.core for row in named] == ["DNC", "NTM", "LRU"]
