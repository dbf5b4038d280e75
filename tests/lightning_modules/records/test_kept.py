"""Records that are kept: read as the run is, small, and free of the machine; and those of docs/."""

import json
from pathlib import Path

import pytest
import torch

from lightning_modules.records.groups import by_group
from lightning_modules.records.kept import MOST_BYTES, keep, record_of
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import RunFolder

RECORDS = Path(__file__).parents[3] / "docs/records"
KEPT = sorted(RECORDS.rglob("*.json"))


def test_a_kept_record_is_read_as_its_run_is(runs, tmp_path: Path) -> None:
    folder = runs.frames("DNC", 3, 10 / 3, memory={"slots": 8}, data={"batch_size": 4})
    path = tmp_path / "records/recall/dnc/3.json"
    keep(RunFolder(folder), path)
    ((run,), no_problems) = read_runs([folder])
    ((kept,), none_either) = read_runs([tmp_path / "records"])
    assert no_problems == none_either == []
    assert kept.name == "dnc/3" and kept.seed == 3
    assert kept.part("model") == run.part("model") and kept.part("data") == run.part("data")
    assert kept.tested.benchmark == run.tested.benchmark
    assert kept.declared == run.declared and kept.training_steps == 3000
    torch.testing.assert_close(kept.curve("kl"), run.curve("kl"), rtol=1e-5, atol=0)
    assert kept.scalar("recall_ratio") == pytest.approx(1 / 3, rel=1e-5)
    assert len(by_group([run, kept])) == 1


def test_nothing_of_the_machine_is_kept() -> None:
    settings = {
        "data": {"class_path": "datamodules.X", "init_args": {"data_dir": "/home/me", "a": 1}}
    }
    results = {
        "settings": settings,
        "checkpoint": "/home/me/x.ckpt",
        "run": "r",
        "scalars": {"a": 1 / 3},
    }
    assert "/home" not in json.dumps(record_of(results))
    assert record_of(results)["scalars"] == {"a": 0.333333}


def test_what_is_too_large_is_refused(runs, tmp_path: Path) -> None:
    folder = runs.frames("DNC", 0, steps=3000)
    with pytest.raises(Unreadable, match="20,000 are allowed"):
        keep(RunFolder(folder), tmp_path / "0.json")
    assert not (tmp_path / "0.json").exists()


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
        0.328, abs=1e-3
    )
    after_contexts = groups["ASNP (RMR)"].scalar("nll_without_context")
    assert float(after_contexts.mean) == pytest.approx(-0.344, abs=1e-3)
    assert len(groups["ASNP (RMR)"].runs) == 3, "one with nine cells is another group"
