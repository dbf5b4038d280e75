"""Pictures on disk: as they were drawn, and whole even after a kill."""

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from lightning_modules.records.picture_file import save_picture


def test_a_figure_has_its_full_size(tmp_path: Path) -> None:
    save_picture(Figure(figsize=(2, 1), dpi=50), tmp_path / "new/figure.png")
    with Image.open(tmp_path / "new/figure.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (100, 50))


def test_a_kill_leaves_nothing_that_looks_like_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process has written counts as no figure of a claim."""
    left: list[str] = []

    def killed(source: Path, to: Path) -> None:
        left.extend(path.name for path in tmp_path.glob("*.png"))
        raise SystemExit

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(SystemExit):
        save_picture(Figure(), tmp_path / "figure.png")
    assert left == [] and list(tmp_path.iterdir()) == []
