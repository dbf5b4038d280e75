"""Figures of groups of runs: what is drawn, over what, and when nothing is."""

import json
from pathlib import Path

import pytest

from lightning_modules.command_line.comparison_figure import sizes_figure, training_figure
from lightning_modules.records import groups as grouping
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.kept import keep, record_of
from lightning_modules.records.reader import read_runs
from tests.lightning_modules.records.made_up_runs import Runs


def trained_on(folder: Path, hardware: str) -> None:
    path = folder / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["training"] = {"hardware": hardware}
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(("other", "label"), [("x", "seconds"), ("y", "training steps")])
def test_seconds_are_compared_on_the_same_hardware_only(runs: Runs, other: str, label: str) -> None:
    for core, hardware in (("RMR", "x"), ("DNC", other)):
        trained_on(runs.functions(core, 0), hardware)
    groups = grouping.tested_groups(found := read_runs([runs.root]).runs)
    figure = training_figure(by_benchmark(found)[0], groups, in_seconds=True)
    assert figure is not None and label in figure.axes[0].get_xlabel()
    # Validations are 5 seconds and 10 steps apart.
    spacing = 5 if label == "seconds" else 10
    assert all(
        list(line.get_xdata())[1] - spacing == pytest.approx(line.get_xdata()[0])
        for line in figure.axes[0].lines
    )
    steps = training_figure(by_benchmark(found)[0], groups, in_seconds=False)
    assert steps is not None and "training steps" in steps.axes[0].get_xlabel()


def test_the_last_steps_kl_has_a_panel_beside_the_bound(runs: Runs, tmp_path: Path) -> None:
    for seed in range(2):
        folder = runs.frames("DNC", seed)
        rows = f"step,seconds,val/bound,val/kl_last_step\n9,5,-8,{3 + seed}\n19,10,-7,{2 + seed}\n"
        (folder / "metrics.csv").write_text(rows, encoding="utf-8")
    for run in read_runs([runs.root]).runs:
        keep(record_of(run), tmp_path / f"records/{run.seed}.json")
    kept = read_runs([tmp_path / "records"]).runs
    figure = training_figure(by_benchmark(kept)[0], grouping.tested_groups(kept), in_seconds=False)
    assert figure is not None
    bound, last = figure.axes
    assert last.get_ylabel() == "KL at the last step (nats)"
    assert last.lines[0].get_ydata().tolist() == [3.5, 2.5] and last.get_ylim()[0] == 0
    assert bound.get_ylabel() == "bound (nats per sequence)"


def test_runs_without_validations_have_no_such_figure(runs: Runs) -> None:
    runs.functions("RMR", 0)
    (run,) = read_runs([runs.root]).runs
    run = run._replace(history=None)
    assert (
        training_figure(by_benchmark([run])[0], grouping.tested_groups([run]), in_seconds=True)
        is None
    )


def test_sizes_are_drawn_where_models_differ_in_them(runs: Runs) -> None:
    for slots, kl in ((8, 2.0), (16, 1.0)):
        runs.frames("DNC", 0, kl, run=f"dnc{slots}", memory={"slots": slots})
    found = read_runs([runs.root, runs.frames("NoMemory", 0, 9.0)]).runs
    figure = sizes_figure(by_benchmark(found)[0], grouping.tested_groups(found))
    assert figure is not None
    line, level = figure.axes[0].lines
    assert line.get_xdata().tolist() == [8, 16]
    assert line.get_ydata().tolist() == [-200, -100], "the bound is -100 times the KL"
    assert list(level.get_ydata()) == [-900, -900]
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["GTMM (DNC), 1 seed", "GTMM (NoMemory), 1 seed"]
    one = [run for run in found if "16" not in run.folder.name]
    assert sizes_figure(by_benchmark(one)[0], grouping.tested_groups(one)) is None
