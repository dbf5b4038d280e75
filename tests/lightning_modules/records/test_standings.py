"""Standings: which benchmarks are shared, and that a missing one does not change the order."""

import re
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest

from lightning_modules.declarations import Measure
from lightning_modules.records.aggregates import FEWEST_BENCHMARKS
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.reader import read_runs
from lightning_modules.records.scores import ScoredBenchmark
from lightning_modules.records.standings import Standings, _largest, standings
from tests.lightning_modules.records.made_up_runs import Runs


def write(runs: Runs, of_lengths: Mapping[int, Mapping[str, float]], seeds: int = 3) -> Runs:
    """Runs of perfect recall with these lengths and recall ratios, plus 0.01 per seed."""
    for steps, ratios in of_lengths.items():
        for core, ratio in ratios.items():
            for seed in range(seeds):
                kl = 10 * ratio + seed / 10
                runs.frames(core, seed, kl, run=f"{core}-{steps}-{seed}", steps=steps)
    return runs


def standings_in(runs: Runs) -> Standings:
    found = standings(by_benchmark(read_runs([runs.root]).runs))
    assert found is not None
    return found


EASY = {"NoMemory": 1.0, "DNC": 0.2, "NTM": 0.4, "LRU": 0.5}
HARD = {"NoMemory": 1.0, "DNC": 0.6, "NTM": 0.9}


def means(found: Standings) -> dict[str, float]:
    return {row.contestant: row.middle.value for row in found.rows if row.middle is not None}


def test_contestants_are_ranked_by_the_middle_half_of_their_scores(runs: Runs) -> None:
    found = standings_in(write(runs, {20: EASY, 30: HARD | {"LRU": 0.8}}))
    assert [row.contestant for row in found.rows] == ["DNC", "LRU", "NTM", "NoMemory"]
    # By hand, from ratios of 0.8, 0.81, 0.82 and 0.5, 0.51, 0.52 over a floor of 1.01.
    scores = 1 - np.array([0.82, 0.81, 0.80, 0.52, 0.51, 0.50]) / 1.01
    expected = (0.5 * scores[1] + scores[2] + scores[3] + 0.5 * scores[4]) / 3
    assert means(found)["LRU"] == pytest.approx(expected)
    assert means(found)["NoMemory"] == pytest.approx(0.0, abs=1e-9)


def test_who_misses_a_hard_benchmark_gains_nothing(runs: Runs) -> None:
    """Over its own benchmarks the LRU would come before the NTM."""
    found = standings_in(write(runs, {20: EASY, 30: EASY | HARD, 40: HARD, 50: HARD}))
    assert len(found.shared) == 4
    assert [row.contestant for row in found.rows] == ["DNC", "NTM", "NoMemory", "LRU"]
    lru = found.rows[-1]
    assert lru.middle is None and found.means_in_words(lru) == ["-", "-"]
    assert len(lru.lacks) == 2
    assert f"LRU is not ranked: it has no score on {'; '.join(lru.lacks)}" in found.remarks()


def test_a_core_with_one_benchmark_does_not_shrink_the_ranking(runs: Runs) -> None:
    without = {name: ratio for name, ratio in EASY.items() if name != "LRU"}
    before = standings_in(write(runs, {20: without, 30: HARD}))
    write(runs, {20: {"LRU": 0.05}})
    after = standings_in(runs)
    assert means(after) == means(before)
    assert [row.contestant for row in after.rows if row.middle is None] == ["LRU"]


def test_pairs_are_compared_on_what_they_share(runs: Runs) -> None:
    found = standings_in(write(runs, {20: EASY, 30: HARD, 40: HARD}))
    of_two = found.improvement("DNC", "LRU")
    assert of_two is not None and (of_two.probability.value, of_two.benchmarks) == (1.0, 1)
    assert found.improvement_in_words("LRU", "DNC") == "0.00 (1)"
    assert found.improvement_in_words("DNC", "NTM") == "1.00"
    assert found.improvement_in_words("DNC", "DNC") == "-"


def test_contestants_with_fewer_seeds_than_others_are_not_compared(runs: Runs) -> None:
    write(runs, {20: EASY, 30: HARD})
    write(runs, {20: {"RMR": 0.0}, 30: {"RMR": 0.0}}, seeds=2)
    found = standings_in(runs)
    assert [row.contestant for row in found.rows] == ["DNC", "NTM", "NoMemory", "LRU"]
    assert found.improvement("RMR", "DNC") is None
    left_out = [note for note in found.remarks() if "fewer than 3 seeds: RMR" in note]
    assert len(left_out) == 2


def test_remarks_name_the_model_without_a_memory_where_benchmarks_have_different_ones(
    runs: Runs,
) -> None:
    write(runs, {20: EASY, 30: HARD})
    assert not any("with a score of 0" in remark for remark in standings_in(runs).remarks())
    write(runs, {40: {"VRNN": 1.0, "DNC": 0.5}})
    (remark,) = (r for r in standings_in(runs).remarks() if "with a score of 0" in r)
    assert remark.startswith("The model without a memory, with a score of 0: NoMemory on Perfect")
    assert re.findall(r"\w+ on ", remark) == ["NoMemory on ", "VRNN on "]


def test_strangers_are_not_compared(runs: Runs) -> None:
    both = {"NoMemory": 1.0, "DNC": 0.5}
    found = standings_in(
        write(runs, {20: both | {"RMR": 0.5}, 30: both, 40: {"NoMemory": 1.0, "SAM": 0.1}})
    )
    assert found.improvement("RMR", "SAM") is None
    assert found.improvement_in_words("RMR", "SAM") == "-"


def test_few_benchmarks_allow_no_conclusion_and_more_an_interval(runs: Runs) -> None:
    lengths = range(20, 20 + FEWEST_BENCHMARKS)
    write(runs, dict.fromkeys([*lengths][:-1], HARD))
    few = standings_in(runs)
    assert any(remark.startswith("No interval, and no conclusion") for remark in few.remarks())
    assert "[" not in few.means_in_words(few.rows[0])[0]
    write(runs, {lengths[-1]: EASY})
    enough = standings_in(runs)
    assert not any("No interval" in remark for remark in enough.remarks())
    assert all("[" in mean for mean in enough.means_in_words(enough.rows[0]))
    assert "[" in enough.improvement_in_words("DNC", "NTM")


def test_one_benchmark_makes_no_standings(runs: Runs) -> None:
    write(runs, {20: EASY, 30: {"DNC": 0.2, "NTM": 0.1}})
    assert standings(by_benchmark(read_runs([runs.root]).runs)) is None
    assert standings([]) is None


def test_benchmarks_without_scores_are_named(runs: Runs) -> None:
    write(runs, {20: EASY, 30: EASY})
    runs.functions("RMR", 0)
    remarks = [*standings_in(runs).remarks()]
    expected = "No scores, as no model without a memory was tested there: Drifting functions"
    assert any(remark.startswith(expected) for remark in remarks)


def benchmark(label: str, contestants: set[str]) -> ScoredBenchmark:
    measure = Measure("recall_ratio", "", "-", "lower", perfect=0.0)
    return ScoredBenchmark(label, measure, 1.0, "NoMemory", dict.fromkeys(contestants), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(30))
def test_no_choice_of_benchmarks_has_more_cells(seed: int) -> None:
    random = np.random.default_rng(seed)
    names = np.array(list("ABCDEFG"))
    having = [benchmark(str(i), set(names[random.random(7) < 0.6])) for i in range(6)]
    cells = {
        places: len(places) * len(set.intersection(*(set(having[i].groups) for i in places)))
        for size in range(2, 7)
        for places in combinations(range(6), size)
        if len(set.intersection(*(set(having[i].groups) for i in places))) > 1
    }
    found = tuple(having.index(each) for each in _largest(having))
    assert cells.get(found, 0) == max(cells.values(), default=0)
