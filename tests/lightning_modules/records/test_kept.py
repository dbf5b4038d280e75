"""Kept records: equal to their runs, small, and without details of the machine; those in docs/."""

import json
from math import nan
from pathlib import Path

import pytest
import torch
import yaml

from lightning_modules.records.before_declarations import declared_before
from lightning_modules.records.benchmarks import by_benchmark
from lightning_modules.records.groups import by_group
from lightning_modules.records.kept import MOST_BYTES, distinct, keep, record_of, rounded
from lightning_modules.records.learning import learning
from lightning_modules.records.metrics_file import History
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.validations import history_in, kept_validations

RECORDS = Path(__file__).parents[3] / "docs/records"
KEPT = sorted(RECORDS.rglob("*.json"))


def test_a_kept_record_is_read_as_its_run_is(runs, tmp_path: Path) -> None:
    folder = runs.frames("DNC", 3, 10 / 3, memory={"slots": 8}, data={"batch_size": 4})
    path = tmp_path / "records/recall/dnc/3.json"
    ((run,), no_problems) = read_runs([folder])
    keep(record_of(run), path)
    ((kept,), none_either) = read_runs([tmp_path / "records"])
    assert no_problems == none_either == []
    assert kept.name == "dnc/3" and kept.seed == 3
    assert kept.part("model") == run.part("model") and kept.part("data") == run.part("data")
    assert kept.tested.benchmark == run.tested.benchmark
    assert kept.declared == run.declared and kept.training_steps == 3000
    torch.testing.assert_close(kept.curve("kl"), run.curve("kl"), rtol=1e-5, atol=0)
    assert kept.scalar("recall_ratio") == pytest.approx(1 / 3, rel=1e-5)
    assert len(by_group([run, kept])) == 1


def test_validations_are_kept_with_their_seconds(runs, tmp_path: Path) -> None:
    """A hundred validations, 10 steps and 5 seconds apart; the NLL falls by 1 each."""
    path = tmp_path / "records/gp/rmr/0.json"
    ((run,), _) = read_runs([runs.functions("RMR", 0, nll=1 / 3)])
    keep(record_of(run), path)
    ((kept,), problems) = read_runs([path])
    assert problems == [] and kept.history is not None
    assert kept.history.steps.tolist() == run.history.steps.tolist()
    assert kept.history.seconds.tolist() == [5.0 * (row + 1) for row in range(100)]
    assert kept.history.last("nll") == pytest.approx(1 / 3, rel=1e-5)
    assert kept.history.values["nll"][0] == pytest.approx(99 + 1 / 3, rel=1e-5)
    (group,) = by_group([kept])
    assert len(learning(group, "nll").seconds) == 100, "figures draw them as those of runs"


def test_the_last_step_of_the_kl_and_the_ratio_are_kept_beside_the_bound(runs) -> None:
    folder = runs.frames("DNC", 0)
    columns = "step,seconds,val/bound,val/kl_last_step,val/kl,val/recall_ratio"
    rows = f"{columns}\n9,5,-8,3,4,0.9\n19,10,-7,,4,0.5\n"
    (folder / "metrics.csv").write_text(rows, encoding="utf-8")
    ((run,), _) = read_runs([folder])
    assert json.loads(record_of(run))["validations"] == {
        **{"step": [10, 20], "seconds": [5, 10]},
        **{"bound": [-8, -7], "kl_last_step": [3, None], "recall_ratio": [0.9, 0.5]},
    }


def test_of_very_many_validations_some_are_kept_and_the_last() -> None:
    steps = torch.arange(1, 1001, dtype=torch.float64)
    history = History(steps, 2 * steps, {"nll": -steps}, "", torch.empty(0))
    kept = kept_validations(history, ["nll", "unknown"])
    assert kept["step"] == list(range(6, 1001, 7)) and list(kept) == ["step", "seconds", "nll"]
    assert kept["seconds"][-1] == 2000 and kept["nll"][-1] == -1000


@pytest.mark.parametrize(
    "damage", [[], {"nll": [1.0]}, {"step": []}, {"step": [1, 2], "nll": [1]}, {"step": ["a"]}]
)
def test_damaged_validations_are_said(runs, tmp_path: Path, damage) -> None:
    ((run,), _) = read_runs([runs.functions("RMR", 0)])
    content = json.loads(record_of(run)) | {"validations": damage}
    (tmp_path / "0.json").write_text(json.dumps(content), encoding="utf-8")
    found, problems = read_runs([tmp_path / "0.json"])
    assert found == [] and "not columns of equal length" in problems[0].reason


def test_records_of_before_have_no_validations_or_seconds() -> None:
    assert history_in({}) is None
    assert history_in({"validations": {"step": [1], "nll": [2]}}).seconds.isnan().all()


def test_a_run_that_is_kept_and_in_its_folder_counts_once(runs, tmp_path: Path) -> None:
    for seed, rate in ((0, 1 / 3), (0, 0.1), (1, 1 / 3)):
        runs.frames("DNC", seed, run=f"{seed}-{rate:.1f}", data={"rate": rate, "data_dir": "x"})
    found = read_runs([runs.root]).runs
    for number, run in enumerate(found):
        keep(record_of(run), tmp_path / f"records/a/b{number}/{run.seed}.json")
    both = read_runs([tmp_path / "records", runs.root]).runs
    assert (len(found), len(both)) == (3, 6)
    assert [run.folder for run in distinct(both)] == [run.folder for run in both[3:]]
    assert [run.folder for run in distinct(both[::-1])] == [run.folder for run in both[:2:-1]]


def test_what_was_not_tested_or_found_something_else_is_a_run_of_its_own(runs) -> None:
    """A run must not be dropped because an earlier one had the same settings."""
    for run, kl in (("a", 2.0), ("b", 2.1), ("c", 2.0), ("d", 2.0)):
        folder = runs.frames("DNC", 0, kl, run=run)
        if run in "cd":
            (folder / "results.json").unlink()
    assert len(distinct(read_runs([runs.root]).runs)) == 4


def test_nothing_of_the_machine_is_kept(runs) -> None:
    folder = runs.frames("DNC", 0, 10 / 3, data={"data_dir": "/home/me"})
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content |= {"checkpoint": "/home/me/x.ckpt", "command": "cli.py test --ckpt_path /home/me/x"}
    content["training"] = {"command": "cli.py fit --data.data_dir /home/me", "revision": "abc"}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    ((run,), _) = read_runs([folder])
    text = record_of(run)
    assert "/home" not in text and json.loads(text)["training"] == {"revision": "abc"}
    assert json.loads(text)["scalars"]["recall_ratio"] == 0.333333


def test_whole_numbers_are_not_rounded() -> None:
    """1,170,963 parameters do not become 1,170,960."""
    assert rounded({"parameters": 1170963.0, "kl": [1234567.8, nan]}) == {
        "parameters": 1170963.0,
        "kl": [1234570.0, None],
    }


def test_runs_of_before_keep_how_long_they_were_trained(runs, tmp_path: Path) -> None:
    """Their trainer's settings are only in config.yaml, which a record lacks."""
    for seed, steps in enumerate((50, 500)):
        folder = runs.frames("DNC", seed)
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        config["trainer"] = {"max_steps": steps}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for run in read_runs([runs.root]).runs:
        keep(record_of(run), tmp_path / f"records/{run.seed}.json")
    labels = [group.label for group in by_group(read_runs([tmp_path / "records"]).runs)]
    assert labels == ["GTMM (DNC, max_steps=50)", "GTMM (DNC, max_steps=500)"]


def test_a_long_neural_process_has_room(runs) -> None:
    """Only the curves that are drawn are kept, one line each."""
    folder = runs.functions("RMR", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["declared"] = declared_before("ASNP", "RMR", []).to_json()
    content["curves"] |= {f"{name}_{i}": [1 / 3] * 100 for name in "abcd" for i in range(4)}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    ((run,), _) = read_runs([folder])
    text = record_of(run)
    assert json.loads(text)["curves"].keys() == {"nll", "kl", "optimal_nll"}
    assert len(text) < MOST_BYTES and len(text.splitlines()) < 350


def test_what_is_too_large_is_refused(runs) -> None:
    ((run,), _) = read_runs([runs.frames("DNC", 0, steps=3000)])
    with pytest.raises(Unreadable, match="at most 20,000 are allowed"):
        record_of(run)


def test_a_record_and_a_run_on_the_same_test_set_compare(runs, tmp_path: Path) -> None:
    """Old records have only the first digits of the test set's hash."""
    folder = runs.frames("DNC", 0)
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["data"]["test_sha256"] = content["data"]["test_sha256"][:12]
    content["seed"] = 1
    (tmp_path / "1.json").write_text(json.dumps(content), encoding="utf-8")
    found = read_runs([folder, tmp_path / "1.json"])
    assert len(by_benchmark(found.runs)) == 1


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.relative_to(RECORDS)))
def test_every_record_of_the_repository_is_whole(path: Path) -> None:
    assert path.stat().st_size <= MOST_BYTES
    ((run,), problems) = read_runs([path])
    assert problems == [] and str(run.seed) == path.stem
    assert any(run.scalar(each.name) == run.scalar(each.name) for each in run.family.headlines)


def test_records_give_the_means_of_the_documentation() -> None:
    runs = read_runs([RECORDS / "gp_transfer", RECORDS / "maze"]).runs
    groups = {group.label: group for group in by_group(runs)}
    assert float(groups["GTMM (DNC)"].scalar("recall_ratio_late").mean) == pytest.approx(
        0.287, abs=1e-3
    )
    after_contexts = groups["ASNP (RMR)"].scalar("nll_without_context")
    assert float(after_contexts.mean) == pytest.approx(-0.552, abs=1e-3)
    assert len(groups["ASNP (RMR)"].runs) == 3
