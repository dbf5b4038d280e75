"""Groups of runs: which are averaged, which are compared, and their statistics."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.groups import by_group, by_stage, estimate
from lightning_modules.records.kept import keep, record_of
from lightning_modules.records.learning import learning
from lightning_modules.records.ranking import ranked
from lightning_modules.records.reader import Found, read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.scaling import scaling_families, slots_of
from lightning_modules.records.settings import RECORDED_LATER, TRAINING, decisive
from lightning_modules.report.page import page


def records(runs) -> list[Run]:
    return read_runs([runs.root]).runs


def trained_with(folder: Path, trainer: dict[str, Any]) -> None:
    file = folder / "config.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**settings, "trainer": trainer}), encoding="utf-8")


def test_means_and_intervals_are_over_seeds(runs):
    values = [2.0, 3.0, 7.0]
    for seed, kl in enumerate(values):
        runs.frames("DNC", seed, kl)
    (benchmark,) = by_benchmark(records(runs))
    (group,) = by_group(benchmark.runs)
    assert group.label == "GTMM (DNC)" and group.seeds == ["0", "1", "2"]
    margin = 4.302653 * np.std(values, ddof=1) / 3**0.5
    ratio, curve = group.scalar("recall_ratio"), group.curve("kl")
    assert (float(ratio.mean), float(ratio.margin)) == pytest.approx((0.4, margin / 10))
    assert (float(curve.mean[-1]), float(curve.margin[-1])) == pytest.approx((4, margin))
    assert float(curve.mean[49]) == pytest.approx(2)


def test_tests_and_validations_do_not_mix(runs):
    runs.frames("DNC", 0, 2.0)
    (runs.frames("DNC", 1, 5.0) / "results.json").unlink()
    (benchmark,) = by_benchmark(records(runs))
    (group,) = by_group(benchmark.runs)
    tested, validated = by_stage(group)
    assert (tested.stage, tested.seeds, float(tested.scalar("bound").mean)) == ("test", ["0"], -200)
    assert (validated.stage, validated.seeds) == ("validation", ["1"])
    assert float(validated.scalar("bound").mean) == -500
    assert validated.scalar("recall_ratio").mean.isnan(), "this validation has none"
    assert validated.runs[0].training_steps == 1000


def test_settings_tell_groups_apart_but_compilation_does_not(runs):
    runs.frames("DNC", 0, run="a", memory={"slots": 8, "compile": True})
    runs.frames("DNC", 1, run="b", memory={"slots": 8, "compile": True})
    runs.frames("DNC", 0, run="c", memory={"slots": 16, "compile": True})
    (benchmark,) = by_benchmark(records(runs))
    labels = [(v.label, len(v.runs), v.dash) for v in by_group(benchmark.runs)]
    assert labels == [("GTMM (DNC, slots=8)", 2, "solid"), ("GTMM (DNC, slots=16)", 1, "dash")]


def test_switches_are_named_where_they_are_on(runs):
    for name, without_links, sparse in (("a", False, False), ("b", True, False), ("c", True, True)):
        switches = {"without_links": without_links, "sparse": sparse}
        runs.frames("DNC", 0, run=name, memory=switches)
    (benchmark,) = by_benchmark(records(runs))
    labels = {group.label for group in by_group(benchmark.runs)}
    assert labels == {
        "GTMM (DNC)",
        "GTMM (DNC, without links)",
        "GTMM (DNC, without links, sparse)",
    }


def test_what_is_null_now_is_what_was_the_default_before():
    before = {"model.memory": "RMR", "model.memory.slots": 25, "model.hidden_size": 64}
    null = {"model.memory": "RMR", "model.memory.slots": None, "model.hidden_size": None}
    assert decisive(null) == decisive(before) == before
    # For other cores null is not new.
    other = {"model.memory": "DNC", "model.memory.slots": None}
    assert decisive(other) == other
    # A budget determines null settings.
    budget = {"model.parameter_budget": 110_000}
    assert decisive(null | budget) == before | {"model.hidden_size": None} | budget
    budget = {"model.state_budget": 5_000}
    assert decisive(null | budget) == null | budget


def test_runs_that_were_trained_otherwise_are_not_averaged(runs):
    usual = runs.frames("DNC", 0, run="a", data={"batch_size": 8, "num_workers": 1})
    runs.frames("DNC", 1, run="b", data={"batch_size": 16, "num_workers": 2})
    longer = runs.frames("DNC", 2, run="c", data={"batch_size": 8, "num_workers": 4})
    for folder, steps in ((usual, 500), (longer, 9000)):
        trained_with(folder, {"max_steps": steps, "log_every_n_steps": steps})
    (benchmark,) = by_benchmark(records(runs))
    assert [group.label for group in by_group(benchmark.runs)] == [
        "GTMM (DNC, batch_size=8, max_steps=500)",
        "GTMM (DNC, batch_size=8, max_steps=9000)",
        "GTMM (DNC, batch_size=16)",
    ]


@pytest.mark.parametrize("name", [*TRAINING, *RECORDED_LATER, "on_divergence"])
def test_settings_of_the_trainer_that_affect_results_tell_groups_apart(runs, name: str):
    for seed, value in enumerate((1, 2)):
        folder = runs.frames("DNC", seed, run=str(seed))
        trained_with(folder, {name: value})
    (benchmark,) = by_benchmark(records(runs))
    assert [group.label for group in by_group(benchmark.runs)] == [
        f"GTMM (DNC, {name}={value})" for value in (1, 2)
    ]


def test_runs_join_those_of_records_that_do_not_say_when_they_were_validated(runs):
    """Where all that say so agree."""
    for seed, trainer in enumerate(
        ({}, {"val_check_interval": 250}, {"val_check_interval": 250.0})
    ):
        trained_with(runs.frames("DNC", seed, run=f"a{seed}"), {"max_steps": 500, **trainer})
    for seed, trainer in enumerate(({}, {"val_check_interval": 250}, {"val_check_interval": 100})):
        trained_with(runs.frames("DNC", seed, run=f"b{seed}"), {"max_steps": 900, **trainer})
    (benchmark,) = by_benchmark(records(runs))
    sizes = {group.label: len(group.runs) for group in by_group(benchmark.runs)}
    assert sorted(sizes.values()) == [1, 1, 1, 3], sizes


def test_equal_numbers_are_equal_settings(runs):
    """Also where another run has none."""
    for seed, value in enumerate((10, 10.0, None)):
        trained_with(runs.frames("DNC", seed, run=str(seed)), {"gradient_clip_val": value})
    (benchmark,) = by_benchmark(records(runs))
    assert sorted(len(group.runs) for group in by_group(benchmark.runs)) == [1, 2]


def test_settings_that_old_records_lack_are_not_listed(runs):
    """Old and new runs are not averaged, and labels of new ones show only what was varied."""
    new = {f"new{i}": i for i in range(30)}
    runs.frames("DNC", 0, run="old", memory={"slots": 8})
    for slots in (8, 16):
        runs.frames("DNC", slots, run=f"{slots}", memory={"slots": slots, **new})
    runs.frames("LRU", 0, run="l-old")
    runs.frames("LRU", 0, run="l-new", memory={"start": "soft"})
    (benchmark,) = by_benchmark(records(runs))
    assert [(group.label, len(group.runs)) for group in by_group(benchmark.runs)] == [
        ("GTMM (DNC, slots=8)", 1),
        ("GTMM (DNC, slots=8, 30 more settings)", 1),
        ("GTMM (DNC, slots=16)", 1),
        ("GTMM (LRU)", 1),
        ("GTMM (LRU, start=soft)", 1),
    ]


def test_groups_that_lack_equally_many_settings_list_all_of_them(runs):
    for run in ("a", "b"):
        runs.frames("DNC", 0, run=run, memory={f"{run}{i}": i for i in range(3)})
    (benchmark,) = by_benchmark(records(runs))
    assert [group.label for group in by_group(benchmark.runs)] == [
        "GTMM (DNC, a0=0, a1=1, a2=2)",
        "GTMM (DNC, b0=0, b1=1, b2=2)",
    ]


def test_records_that_differ_in_many_settings_go_by_their_files(runs, tmp_path):
    for run, name in (("a", "asnp_w"), ("b", "asnp_window")):
        folder = runs.frames("DNC", 0, run=run, memory={f"new{i}": f"{run}{i}" for i in range(5)})
        (record,) = read_runs([folder]).runs
        keep(record_of(record), tmp_path / "records/maze" / name / "0.json")
    names = [
        [group.label for group in by_group(read_runs([place]).runs)]
        for place in (runs.root, tmp_path / "records")
    ]
    assert names == [
        ["GTMM (DNC, new0=a0, 4 more settings)", "GTMM (DNC, new0=b0, 4 more settings)"],
        ["GTMM (DNC, asnp_w)", "GTMM (DNC, asnp_window)"],
    ]


def test_a_diverged_run_is_counted_and_changes_no_ranking(runs):
    for seed, ratio in enumerate((0.3, None)):
        folder = runs.frames("DNC", seed, 10 * (ratio or 1))
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        content["scalars"]["recall_ratio"] = ratio
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    lost = runs.frames("NTM", 0)
    content = json.loads((lost / "results.json").read_text(encoding="utf-8"))
    content["scalars"] = dict.fromkeys(content["scalars"])
    (lost / "results.json").write_text(json.dumps(content), encoding="utf-8")
    found = records(runs)
    (benchmark,) = by_benchmark(found)
    assert ranked(benchmark).headline.name == "recall_ratio"
    assert "0.300 (1 of 2 seeds)" in page(Found(found, []))


def test_columns_that_no_run_knows_are_left_out(runs):
    runs.frames("DNC", 0)
    html = page(Found(records(runs), []))
    assert "KL ratio, old ↓" in html and ">KL, new<" in html, (
        "a collapsed posterior has a low one, too"
    )
    assert "class accuracy" not in html and "KL, all recalled" not in html


def test_runs_without_a_seed_are_not_seed_0(runs):
    for run, seed in (("a", False), ("b", 0)):
        runs.frames("DNC", seed, run=run)
    assert {run.name.rpartition("/")[2]: run.seed for run in records(runs)} == {"a": None, "b": 0}


def test_other_pictures_are_another_benchmark_without_a_test(runs):
    for seed, source in enumerate(("glyphs", "mnist5k")):
        folder = runs.frames("DNC", seed, data={"source": source})
        (folder / "results.json").unlink()
    labels = [benchmark.label for benchmark in by_benchmark(records(runs))]
    assert labels == ["Perfect recall, source glyphs", "Perfect recall, source mnist5k"]


def test_settings_that_came_later_are_in_no_label(runs):
    """A setting that an older record lacks does not distinguish its benchmark."""
    for seed, data in enumerate(({"recall_length": 10, "source": "auto"}, {"recall_length": 20})):
        (runs.frames("DNC", seed, data=data) / "results.json").unlink()
    labels = [benchmark.label for benchmark in by_benchmark(records(runs))]
    assert labels == ["Perfect recall, recall length 10", "Perfect recall, recall length 20"]


def test_benchmarks_are_distinguished_by_their_test_sets(runs):
    runs.frames("DNC", 0)
    runs.functions("RMR", 0)
    longer = runs.frames("NTM", 1, data={"recall_length": 20}, run="longer")
    text = (longer / "results.json").read_text(encoding="utf-8")
    (longer / "results.json").write_text(
        text.replace("datamodules.PerfectRecalldata", "x"), encoding="utf-8"
    )
    found = by_benchmark(records(runs))
    assert [benchmark.label for benchmark in found] == [
        "Drifting functions",
        "Perfect recall",
        "Perfect recall, recall length 20",
    ]
    assert [b.key for b in found] == ["b0", "b1", "b2"]


def test_batch_sizes_do_not_make_another_benchmark(runs):
    runs.frames("DNC", 0, data={"batch_size": 4})
    (runs.frames("DNC", 1, data={"batch_size": 8}) / "results.json").unlink()
    (benchmark,) = by_benchmark(records(runs))
    assert len(benchmark.runs) == 2


def test_the_best_is_first_and_the_others_are_compared_with_it(runs):
    for seed, noise in enumerate((0.0, 0.3, 0.5, 0.1)):
        runs.frames("DNC", seed, 2 + noise)
        runs.frames("NTM", seed, 3 + noise + 0.1 * seed)
        runs.frames("LRU", seed, 2.1 + 0.9 * noise**2)
    (benchmark,) = by_benchmark(records(runs))
    found = ranked(benchmark)
    assert found.headline.name == "recall_ratio"
    assert [row.group.contestant for row in found.rows] == ["LRU", "DNC", "NTM"]
    assert [row.best for row in found.rows] == [True, False, False]
    dnc, ntm = found.rows[1:]
    assert ntm.difference.pairs == 4
    lru = [0.21 + 0.09 * n**2 for n in (0, 0.3, 0.5, 0.1)]
    own = [0.3, 0.34, 0.37, 0.34]
    assert ntm.difference.mean == pytest.approx(np.mean(np.subtract(own, lru)))
    assert ntm.p < 0.05 < dnc.p
    assert ntm.p == pytest.approx(2 * ntm.difference.p)


def test_a_higher_bound_is_better(runs):
    for core, kl in (("DNC", 3.0), ("NTM", 1.0)):
        path = runs.frames(core, 0, kl) / "results.json"
        path.write_text(
            path.read_text(encoding="utf-8").replace("recall_ratio", "other"), encoding="utf-8"
        )
    (benchmark,) = by_benchmark(records(runs))
    found = ranked(benchmark)
    assert found.headline.name == "bound"
    assert [row.group.contestant for row in found.rows] == ["NTM", "DNC"]


def test_families_of_memory_sizes(runs):
    for slots, width in ((32, 4), (8, 4), (16, 9), (64, 4)):
        runs.frames("DNC", 0, run=f"{slots}", memory={"slots": slots, "word_size": width})
    runs.frames("NTM", 0, memory={"slots": 8})
    runs.frames("LRU", 0, run="l1", memory={"slots": None})
    runs.frames("LRU", 0, run="l2", memory={"slots": 5})
    (benchmark,) = by_benchmark(records(runs))
    families = list(scaling_families(by_group(benchmark.runs)))
    assert [[slots_of(member) for member in family] for family in families] == [[8, 32, 64]]


def test_runs_of_one_seed_make_no_interval_narrower(runs):
    """Three seeds with two runs each have the interval of three values, not of six."""
    for seed, kl in enumerate([2.0, 3.0, 7.0]):
        for i in (0, 1):
            runs.frames("DNC", seed, kl + i - 0.5, run=f"{seed}-{i}")
    (group,) = by_group(records(runs))
    margin = 4.302653 * np.std([2.0, 3.0, 7.0], ddof=1) / 3**0.5
    ratio, curve = group.scalar("recall_ratio"), group.curve("kl")
    assert (float(ratio.mean), float(ratio.margin)) == pytest.approx((0.4, margin / 10))
    assert (float(curve.mean[-1]), float(curve.margin[-1])) == pytest.approx((4, margin))
    validations = learning(group, "bound").values
    assert float(validations.margin[-1]) == pytest.approx(100 * margin)
    assert group.size == "6 runs of 3 seeds"


def test_seconds_of_validations_are_means_over_runs(runs):
    """Made-up runs take 5 seconds until each validation; one of these takes 15."""
    runs.frames("DNC", 0)
    slow = runs.frames("DNC", 1) / "metrics.csv"
    with open(slow, encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    with open(slow, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "seconds": 3 * int(row["seconds"])} for row in rows)
    (group,) = by_group(records(runs))
    assert learning(group, "bound").seconds.tolist() == [10.0 * (row + 1) for row in range(100)]


def test_a_curve_is_a_mean_over_those_of_full_length(runs):
    """A test of shorter sequences would otherwise cut it, or be stacked with longer ones."""
    for seed, steps in enumerate((10, 10, 4)):
        runs.frames("DNC", seed, 2.0 + seed, steps=steps)
    (group,) = by_group(records(runs))
    assert group.curve("kl").mean.tolist() == pytest.approx([2.5 * (t + 1) / 10 for t in range(10)])


def test_no_interval_of_a_ratio_is_below_0(runs):
    for seed, kl in enumerate((2.0, 2.0, 9.0)):
        runs.frames("DNC", seed, kl)
    (group,) = by_group(records(runs))
    margin = 4.302653 * np.std([0.2, 0.2, 0.9], ddof=1) / 3**0.5
    ratio = group.runs[0].family["recall_ratio"]
    assert group.number(ratio, 3) == f"0.433 [0.000, {0.4333333 + margin:.3f}]"


def test_runs_without_a_seed_count_one_by_one():
    found = estimate(torch.tensor([1.0, 2.0, 6.0]), [None, None, 0])
    assert float(found.mean) == 3
    assert float(found.margin) == pytest.approx(4.302653 * np.std([1, 2, 6], ddof=1) / 3**0.5)


def test_a_single_run_has_no_interval():
    assert estimate(torch.tensor([2.0]), [0]).margin.isnan()


def test_seeds_are_counted_in_words(runs):
    runs.frames("DNC", 0)
    assert by_group(records(runs))[0].size == "1 seed"
    runs.frames("DNC", 1)
    assert by_group(records(runs))[0].size == "2 seeds"
    runs.frames("DNC", 1, run="again")
    assert by_group(records(runs))[0].size == "3 runs of 2 seeds"
