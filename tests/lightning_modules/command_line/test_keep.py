"""Keeping records from the command line: where they go, and mistakes."""

import json
from pathlib import Path

import pytest

from lightning_modules.command_line.keep import keep
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown


def test_runs_of_several_seeds_are_kept_and_never_overwritten(runs, tmp_path: Path, capsys) -> None:
    folders = [runs.frames("DNC", seed) for seed in (0, 7)]
    options = [str(runs.root), "--name=recall/dnc_gtmm", f"--to={tmp_path}/records"]
    keep(options)
    kept = sorted(path.name for path in (tmp_path / "records/recall/dnc_gtmm").iterdir())
    assert kept == ["0.json", "7.json"]
    assert capsys.readouterr().out.count("Kept") == 2
    keep(options)
    assert not capsys.readouterr().out, "they are kept already"
    content = json.loads((folders[0] / "results.json").read_text(encoding="utf-8"))
    other = json.dumps({**content, "parameters": 1})
    (folders[0] / "results.json").write_text(other, encoding="utf-8")
    with pytest.raises(UsageError, match=r"0\.json belongs to another run; remove it to"):
        keep(options)


@pytest.mark.parametrize("name", ["recall", "a/b/c", "/x", "../x", "a/"])
def test_a_name_says_benchmark_and_model(runs, name: str) -> None:
    runs.frames("DNC", 0)
    with pytest.raises(UsageError, match="--name: must be BENCHMARK/MODEL, such as maze/dnc_gtmm"):
        keep([str(runs.root), f"--name={name}"])


def test_what_was_not_tested_or_has_no_seed_is_refused(runs, tmp_path: Path) -> None:
    folder = runs.frames("DNC", 0)
    options = [str(folder), "--name=a/b", f"--to={tmp_path}/records"]
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    (folder / "results.json").write_text(json.dumps({**content, "seed": False}), encoding="utf-8")
    with pytest.raises(UsageError, match="seed, which names the record, is unknown"):
        keep(options)
    (folder / "results.json").unlink()
    with pytest.raises(UsageError, match="has not been tested yet"):
        keep(options)
    with pytest.raises(UsageError, match="there is no folder .*none"):
        keep([str(tmp_path / "none"), "--name=a/b"])
    assert not (tmp_path / "records").exists()


def test_one_name_is_not_given_to_runs_that_differ(runs, tmp_path: Path) -> None:
    runs.frames("DNC", 0, memory={"slots": 8})
    runs.frames("DNC", 1, memory={"slots": 9})
    options = [str(runs.root), "--name=a/b", f"--to={tmp_path}/records"]
    with pytest.raises(UsageError, match=r"slots=8\), GTMM \(DNC, slots=9\)"):
        keep(options)
    runs.functions("RMR", 0)
    with pytest.raises(UsageError, match="several benchmarks"):
        keep(options)
    assert not (tmp_path / "records").exists()


def test_seeds_that_several_runs_share_are_named(runs, tmp_path: Path) -> None:
    seeds = (3, 4, 3, 5, 5)
    folders = [runs.frames("DNC", seed, run=f"run{n}") for n, seed in enumerate(seeds)]
    first, _, second, third, fourth = map(shown, folders)
    with pytest.raises(UsageError) as error:
        keep([str(runs.root), "--name=a/b", f"--to={tmp_path}/records"])
    assert str(error.value) == (
        "seeds must differ, since they name the records; "
        f"{first} and {second} have seed 3; {third} and {fourth} have seed 5"
    )
    assert not (tmp_path / "records").exists()


def test_runs_of_a_table_are_kept_by_what_they_are(runs, tmp_path: Path) -> None:
    for model, seed in (("dnc_gtmm", 0), ("dnc_gtmm", 1), ("ntm_gtmm", 0), ("lru_gtmm", 2)):
        core = model.partition("_")[0].upper()
        runs.frames(core, seed, run=f"perfect_recall_l10-seed{seed}-{model}")
    (*runs.root.rglob("*-lru_gtmm/results.json"),)[0].unlink()
    keep([str(runs.root), f"--to={tmp_path}/records"])
    kept = {str(path.relative_to(tmp_path / "records")) for path in tmp_path.rglob("?.json")}
    names = {"dnc_gtmm/0", "dnc_gtmm/1", "ntm_gtmm/0"}
    assert kept == {f"perfect_recall_l10/{name}.json" for name in names}
    other = runs.frames("LRU", 0)
    with pytest.raises(UsageError, match=r"--name: is missing; .*LRU-0 is not a run of a table"):
        keep([str(other), f"--to={tmp_path}/records"])
