"""Answers: what may be called best, what is level with it, and where there is no answer."""

import pytest

from lightning_modules.records.answers import answers, tally
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.ranking import ranked
from lightning_modules.records.reader import read_runs
from tests.lightning_modules.records.made_up_runs import Runs

#: KL ratios of seeds 0, 1 and 2. The NTM is behind the DNC by 0.01, -0.02 and 0.04, so p is 0.60;
#: the LRU by 0.2, 0.21 and 0.19, a mean of 34.6 standard errors.
RATIOS = {"DNC": (0.2, 0.22, 0.2), "NTM": (0.21, 0.2, 0.24), "LRU": (0.4, 0.43, 0.39)}


def found_among(runs: Runs) -> list:
    return answers([ranked(each) for each in by_benchmark(read_runs([runs.root]).runs)])


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


def test_two_seeds_answer_nothing(runs: Runs) -> None:
    for core, ratios in RATIOS.items():
        for seed, ratio in enumerate(ratios[:2]):
            runs.frames(core, seed, 10 * ratio)
    assert found_among(runs) == []


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
