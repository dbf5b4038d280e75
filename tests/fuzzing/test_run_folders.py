"""The first of the damaged run folders; tests/fuzzing/run_folders.py runs as many as wanted."""

import json
from pathlib import Path

import pytest

from lightning_modules.records.run_folder import write_json
from tests.fuzzing.run_folders import SEEDS, run_cases
from tests.lightning_modules.records.made_up_runs import Runs, add_film, add_pictures
from tests.lightning_modules.records.test_reader import INVENTED

COUNT = 150


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs with every file that is read, and few numbers."""
    made = Runs(tmp_path_factory.mktemp("runs"))
    folders = [made.frames("DNC", seed, run=f"r{seed}", steps=12) for seed in SEEDS]
    for folder in folders:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        declared = INVENTED.to_json()
        own = {"format": 1, "declared": declared, "training": {"revision": "abc"}}
        write_json(folder / "results.json", {**results, **own})
        write_json(folder / "model.json", {"format": 1, **declared})
        rows = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[:6]
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        add_pictures(folder, "generations", "memory_film", size=(40, 20))
        add_film(folder)
    return folders


def test_a_damaged_run_hides_no_other(folders: list[Path], tmp_path: Path):
    outcomes = run_cases(range(COUNT), folders, tmp_path / "work")
    assert not [outcome for outcome in outcomes if outcome.failed]
    assert not [outcome for outcome in outcomes if outcome.kind == "last resort"]
    kinds = [outcome.kind for outcome in outcomes]
    # Else the damage is none, or total.
    for kind in ("shown", "shown, with a line", "left out"):
        assert kinds.count(kind) > COUNT / 20, kind
