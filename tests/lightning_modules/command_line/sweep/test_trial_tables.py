"""How a search ends: its trials by what validations found, whatever a test would say."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.sweep.execution import Execution, Outcome
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.command_line.sweep.sweep_file import Metric
from lightning_modules.command_line.sweep.trial_tables import trial_tables
from lightning_modules.records.run_folder import RunFolder, shown
from tests.lightning_modules.records.made_up_runs import Runs

CORE, RATE = "model.memory", "model.learning_rate"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def searched(tmp_path: Path) -> Callable[..., Execution]:
    """Makes up the end of a sweep from folders, values and ends."""

    def made(*ended: tuple[Path, dict[str, Any], str], metric: Metric) -> Execution:
        file = SimpleNamespace(metric=metric)
        plan: Any = SimpleNamespace(file=file, varied=list(ended[0][1]), folder=tmp_path)
        outcomes = [
            Outcome(PlannedRun(Proposal(n, values, None), RunFolder(folder), ()), how)
            for n, (folder, values, how) in enumerate(ended)
        ]
        study: Any = SimpleNamespace(proposals=lambda total: iter(()))
        return Execution(plan, study, len(ended), 1, 1, False, [], outcomes=outcomes)

    return made


def validated(folder: Path, **columns: float) -> Path:
    """Add columns to all validations of a run that was only trained."""
    (folder / "results.json").unlink()
    path = folder / "metrics.csv"
    rows = [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *columns])
        writer.writeheader()
        writer.writerows({**row, **columns} for row in rows)
    return folder


def cells(text: str) -> list[list[str]]:
    """Lines of a table without its heading, its rule and the command below it."""
    return [line.split() for line in text.splitlines()[1:-1] if "---" not in line]


def test_trials_are_ranked_by_validation(runs: Runs, searched: Callable[..., Execution]) -> None:
    ended = [
        (validated(runs.frames(core, 0, kl, run=f"{core}{rate}")), {CORE: core, RATE: rate}, how)
        for core, rate, kl, how in (
            ("DNC", 1e-3, 3.0, "finished"),
            ("NTM", 1e-3, 1.0, "pruned"),
            ("NTM", 4e-3, 2.0, "finished"),
        )
    ]
    (text,) = trial_tables(searched(*ended, metric=Metric("val/bound", "maximize")))
    first, *_, last = text.splitlines()
    assert first == "Perfect recall, by the last val/bound:"
    best = runs.root / "datamodules.perfectrecall/NTM0.004/config.yaml"
    assert last == f"Train the best again: {program()} fit --config {shown(best)}"
    assert cells(text) == [
        ["memory", "learning_rate", "val/bound", "↑", "ended"],
        ["NTM", "0.004", "-200.0", "finished"],
        ["DNC", "0.001", "-300.0", "finished"],
        ["NTM", "0.001", "-100.0", "pruned"],
    ]


def test_headlines_of_the_validation_stand_beside_the_metric(
    runs: Runs, searched: Callable[..., Execution]
) -> None:
    """A test, which found the opposite here, has no say in a choice of settings."""
    ended = []
    for core, kl, ratio in (("DNC", 3.0, 0.5), ("LRU", 2.0, 0.25)):
        folder = runs.frames(core, 0, kl)
        results = (folder / "results.json").read_text(encoding="utf-8")
        validated(folder, **{"val/recall_ratio": ratio})
        (folder / "results.json").write_text(
            results.replace(f"{-100 * kl}", f"{100 * kl}"), encoding="utf-8"
        )
        ended.append((folder, {CORE: core}, "finished"))
    (text,) = trial_tables(searched(*ended, metric=Metric("val/bound", "maximize")))
    assert [row[-2:] for row in cells(text)[1:]] == [["-200.0", "0.250"], ["-300.0", "0.500"]]
    assert [row[0] for row in cells(text)[1:]] == ["LRU", "DNC"]
    (text,) = trial_tables(searched(*ended, metric=Metric("val/recall_ratio", "minimize")))
    assert [row for row in cells(text)[1:]] == [
        ["LRU", "0.250", "-200.0"],
        ["DNC", "0.500", "-300.0"],
    ]


def test_benchmarks_have_tables_of_their_own(
    runs: Runs, searched: Callable[..., Execution], tmp_path: Path
) -> None:
    key = "data"
    ended = [
        (validated(runs.frames("DNC", 0)), {key: "conf/data/recall.yaml"}, "finished"),
        (validated(runs.functions("RMR", 0)), {key: "conf/data/gp.yaml"}, "finished"),
        (tmp_path / "runs/never", {key: "conf/data/gp.yaml"}, "diverged"),
    ]
    functions, recall, lost = trial_tables(searched(*ended, metric=Metric("val/nll", "minimize")))
    assert functions.startswith("Drifting functions, by") and cells(functions)[1] == ["gp", "1.000"]
    assert recall.startswith("Perfect recall, by") and cells(recall)[1] == ["recall", "-", "-200.0"]
    assert lost == "No validation: never (diverged)"


def test_without_a_metric_there_is_no_order(runs: Runs, searched: Callable[..., Any]) -> None:
    ended = (validated(runs.frames("DNC", 0)), {CORE: "DNC"}, "finished")
    assert [*trial_tables(searched(ended, metric=None))] == []
