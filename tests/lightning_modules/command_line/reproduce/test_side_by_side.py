"""Models that a claim draws beside each other: those whose runs have weights on disk."""

from pathlib import Path

import pytest

from lightning_modules.command_line.reproduce import side_by_side as drawing
from lightning_modules.command_line.reproduce.command import draw
from lightning_modules.records import groups as grouping
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import RunFolder
from tests.lightning_modules.records.made_up_runs import Runs


class Stand:
    """Stands for a run's experiment, and remembers what was drawn."""

    drawn: list[str] = []

    def __init__(self, words: list[str]) -> None:
        self.words, self.datamodule, self.model = words, "data", self

    def drawings(self) -> "Stand":
        return self

    def side_by_side(self, models, data, seed):
        assert data == "data"
        Stand.drawn = [each.name for each in models]
        yield "generated", "a figure"


def test_models_with_a_checkpoint_are_drawn(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    restored: list[Path] = []
    monkeypatch.setattr(drawing, "Subject", Stand)
    monkeypatch.setattr(drawing, "prepare", lambda: None)
    monkeypatch.setattr(drawing, "restore", lambda subject, run: restored.append(run.folder))
    folders = [runs.frames(core, seed) for core in ("DNC", "NTM", "LRU") for seed in (0, 1)]
    groups = grouping.tested_groups(read_runs([runs.root]).runs)
    assert list(drawing.side_by_side(groups)) == [] == restored, "nobody has any weights"
    for folder in (folders[1], folders[4]):
        RunFolder(folder).checkpoints.mkdir()
        RunFolder(folder).best_checkpoint.write_bytes(b"")
        if folder == folders[1]:
            assert list(drawing.side_by_side(groups)) == [], "one model is beside nobody"
    assert list(drawing.side_by_side(groups)) == [("generated", "a figure")]
    assert sorted(restored) == sorted([folders[1], folders[4]])
    assert sorted(Stand.drawn) == ["GTMM (DNC)", "GTMM (LRU)"]


def test_what_was_drawn_with_weights_stays_where_these_are_gone(runs: Runs, tmp_path: Path) -> None:
    found = {("maze", core): read_runs([runs.frames(core)]).runs for core in ("DNC", "NTM")}
    folder = tmp_path / "Z1"
    folder.mkdir()
    for name in ("visits", "sizes"):
        (folder / f"figure_{name}.png").write_bytes(b"drawn before")
    draw(found, folder, timed=False)
    # Memories of one size have no figure by size.
    names = {"figure.png", "figure_training.png", "figure_visits.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "figure_visits.png").read_bytes() == b"drawn before"
