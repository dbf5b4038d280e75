"""A table of sweeps: what it would run, what is already kept, and the final ranking."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import ExperimentCLI, main
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from tests.cli.commands import MAZE

SETTINGS = ("--trainer.max_steps=2", "--data.source=mnist5k")
OF_RUN = ("--model.memory=NoMemory", "--seed_everything=1")


@pytest.fixture
def table(tmp_path: Path, runs: Path) -> Callable[..., Path]:
    """Writes a table of sweeps, each of some memories and seeds, and its folder of records."""

    def write(*sweeps: tuple[list[str], list[int]], **changes: Any) -> Path:
        (tmp_path / "records").mkdir(exist_ok=True)
        for number, (memories, seeds) in enumerate(sweeps):
            content = {
                "program": "cli.py",
                "method": "grid",
                "parameters": {
                    "model.memory": {"values": memories},
                    "seed_everything": {"values": seeds},
                },
                "command": ["fit", MAZE, f"--experiment=s{number}", "${args}", *SETTINGS],
                **changes,
            }
            content["command"].append(f"--trainer.default_root_dir={runs}")
            path = tmp_path / f"s{number}.yaml"
            path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        named = {"sweeps": [f"s{n}.yaml" for n in range(len(sweeps))], "records": "records"}
        (tmp_path / "table.yaml").write_text(yaml.safe_dump(named), encoding="utf-8")
        return tmp_path / "table.yaml"

    return write


@pytest.fixture
def small(tiny: Callable[..., list[str]]) -> list[str]:
    """Settings of small runs."""
    return tiny("sweep", MAZE)[2:]


@pytest.fixture
def kept(tiny: Callable[..., list[str]], tmp_path: Path, runs: Path) -> Path:
    """The record of a run with no memory and seed 1."""
    name = "--run=maze-seed1-gtmm_without_memory"
    ExperimentCLI([*tiny("fit", MAZE, *OF_RUN, name), *SETTINGS])
    (folder,) = runs.glob("*/*")
    ExperimentCLI(["test", f"--ckpt_path={folder}/checkpoints/last.ckpt"])
    main(["keep", str(folder), f"--to={tmp_path}/records"])
    return tmp_path / "records/maze/gtmm_without_memory/1.json"


def test_what_is_kept_is_not_trained_again(
    kept: Path,
    table: Callable[..., Path],
    small: list[str],
    runs: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The record is found by its settings; the folder that it was made in may be gone."""
    old = json.loads(kept.read_text(encoding="utf-8"))
    old["settings"]["model"]["init_args"]["learning_rate"] = 0.5
    (kept.parents[1] / "old").mkdir()
    (kept.parents[1] / "old/0.json").write_text(json.dumps(old | {"seed": 0}), encoding="utf-8")
    file = table((["NoMemory"], [1]), (["NoMemory"], [1]))
    capsys.readouterr()
    main(["sweep", str(file), *small])
    said = capsys.readouterr().out
    assert said.count(f"run: is kept in {kept}") == 2
    assert "\ns0: 0 of 1 runs finished, 1 kept\n" in said
    assert "\ns1: 0 of 1 runs finished, 1 kept\n" in said
    assert said.endswith("\nThe table: 0 of 2 runs finished, 2 kept, 0 left\n")
    assert "learning_rate" not in said, "of the other record"
    assert "MNIST maze" in said and "NoMemory" in said.partition("MNIST maze")[2]
    assert not [*runs.glob("s*/run")]
    main(["sweep", str(file), *small])
    assert capsys.readouterr().out.count(", 1 kept") == 2, "it stays kept, and is not forgotten"


def test_a_record_stands_for_its_own_settings_and_seed(kept: Path, small: list[str]) -> None:
    words = [MAZE, *small, *SETTINGS]
    records = KeptRuns(kept.parents[2])
    same = records.find([*words, *OF_RUN, "--run=other", "--data.num_workers=3"])
    assert same is not None and same.seed == 1
    assert records.find([*words, "--model.memory=NoMemory", "--seed_everything=0"]) is None
    for other in (
        "--seed_everything=true",
        "--model.memory=DNC",
        "--model.learning_rate=0.1",
        "--trainer.max_steps=3",
        "--trainer.val_check_interval=2",
        "--data.test_size=5",
    ):
        assert records.find([*words, *OF_RUN, other]) is None, other


def test_a_setting_that_came_later_is_at_its_default_in_a_record(
    kept: Path, small: list[str]
) -> None:
    content = json.loads(kept.read_text(encoding="utf-8"))
    del content["settings"]["model"]["init_args"]["likelihood"]
    kept.write_text(json.dumps(content), encoding="utf-8")
    words, records = [MAZE, *small, *SETTINGS, *OF_RUN], KeptRuns(kept.parents[2])
    assert records.find(words) is not None
    assert records.find([*words, "--model.likelihood=gaussian"]) is None


def test_a_setting_that_older_records_do_not_know_counts_as_equal(
    kept: Path, small: list[str]
) -> None:
    content = json.loads(kept.read_text(encoding="utf-8"))
    del content["settings"]["trainer"]["val_check_interval"]
    kept.write_text(json.dumps(content), encoding="utf-8")
    records, words = KeptRuns(kept.parents[2]), [MAZE, *small, *SETTINGS, *OF_RUN]
    assert records.find([*words, "--trainer.val_check_interval=2"]) is not None


def test_a_test_of_a_part_of_the_set_stands_for_none(kept: Path, small: list[str]) -> None:
    content = json.loads(kept.read_text(encoding="utf-8"))
    content["sequences"] -= 1
    kept.write_text(json.dumps(content), encoding="utf-8")
    assert KeptRuns(kept.parents[2]).find([MAZE, *small, *SETTINGS, *OF_RUN]) is None


def test_data_are_read_only_where_all_else_agrees(
    kept: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data may have to be downloaded."""
    words, records = [MAZE, *small, *SETTINGS, *OF_RUN], KeptRuns(kept.parents[2])

    def read(*of: object) -> dict[str, str]:
        raise LookupError

    monkeypatch.setattr(KeptRuns, "_data_record", read)
    assert records.find([*words, "--model.learning_rate=0.1"]) is None
    with pytest.raises(LookupError):
        records.find(words)


def test_a_plan_says_what_would_be_done(
    table: Callable[..., Path], small: list[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table((["LRU", "DNC"], [2, 0]), (["NTM"], [0]))
    states = runs / "s0/LRU-seed0/checkpoints"
    states.mkdir(parents=True)
    (states / "last.ckpt").touch()
    (runs / "s0/DNC-seed2").mkdir()
    (runs / "s0/DNC-seed2/results.json").touch()
    main(["sweep", str(file), *small, "--dry_run"])
    assert capsys.readouterr().out.splitlines() == [
        f"{runs}/s0:",
        "  LRU-seed2: starts",
        "  LRU-seed0: continues",
        "  DNC-seed2: finished",
        "  DNC-seed0: starts",
        "  in all: 1 finished, 1 to continue, 2 to start",
        f"{runs}/s1:",
        "  run: starts",
        "  in all: 1 to start",
    ]
    assert sorted(path.name for path in (runs / "s0").iterdir()) == ["DNC-seed2", "LRU-seed0"]


def test_a_plan_for_a_folder_with_another_sweep_is_refused(
    table: Callable[..., Path], small: list[str], runs: Path, complaint: Callable[..., str]
) -> None:
    file = table((["NoMemory"], [0]))
    options = ["sweep", str(file), *small, "--no_test", "--trainer.max_steps=1"]
    main(options)
    main([*options, "--dry_run"])
    said = complaint(*options, "--model.learning_rate=0.1", "--dry_run")
    assert f"{runs}/s0 was started with other settings: " in said


def test_mistakes_in_a_table_are_explained(
    table: Callable[..., Path], complaint: Callable[..., str], tmp_path: Path
) -> None:
    file = str(table((["NoMemory"], [1]), (["NoMemory"], [2])))
    assert "--trials: applies to a single sweep" in complaint("sweep", file, "--trials=1")
    assert "needs its own folder" in complaint("sweep", file, "--experiment=one")
    random = str(table((["NoMemory"], [1]), method="random", run_cap=1))
    assert "s0.yaml: method must be grid in a table, got random" in complaint("sweep", random)
    for content, part in {
        "sweeps: []": "sweeps must be a list of files, got []",
        "sweeps: [none.yaml]": "there is no file",
        "sweeps: [s0.yaml]\nrecord: x": "record: there is no such setting here; did you mean rec",
        "sweeps: [s1.yaml]\nrecords: [x]": "records must be a folder, got ['x']",
        "sweeps: [s1.yaml]\nrecords: nowhere": "records: there is no folder",
    }.items():
        (tmp_path / "table.yaml").write_text(content, encoding="utf-8")
        assert part in complaint("sweep", f"{tmp_path}/table.yaml")
