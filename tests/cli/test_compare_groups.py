"""Terminal, figure and page show the same groups of the same runs, with the same labels."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import main
from lightning_modules.records.kept import keep, record_of
from lightning_modules.records.reader import read_runs
from tests.cli.commands import cells
from tests.lightning_modules.records.made_up_runs import Runs

#: Settings of two runs beside which two others have the usual ones, and how they are distinguished.
OTHERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "training length": ({"max_steps": 500}, ["max_steps=500", "max_steps=3000"]),
    "clipping": ({"gradient_clip_val": 1.0}, ["gradient_clip_val=1.0", "gradient_clip_val=None"]),
    "batch size": ({"batch_size": 8}, ["batch_size=8", "batch_size=32"]),
    "training data": ({"train_size": 20}, ["train_size=20", "train_size=10000"]),
    "core settings": ({"read_heads": 1}, ["read_heads=1", "read_heads=5"]),
}
USUAL = {"max_steps": 3000, "gradient_clip_val": None}
DATA = {"batch_size": 32, "train_size": 10_000}
CORE = {"read_heads": 5}


def write(runs: Runs, seed: int, kl: float, changed: dict[str, Any]) -> None:
    """Write a tested run with the usual settings, except those changed."""
    memory, data, trainer = (
        {name: changed.get(name, value) for name, value in part.items()}
        for part in (CORE, DATA, USUAL)
    )
    run = f"{'-'.join(changed) or 'usual'}-{seed}"
    folder = runs.frames("DNC", seed, kl, run=run, memory=memory, data=data)
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    (folder / "config.yaml").write_text(
        yaml.safe_dump({**settings, "trainer": trainer}), encoding="utf-8"
    )


@pytest.mark.parametrize("kind", OTHERS)
def test_the_same_groups_everywhere(kind: str, drawn, tmp_path: Path, capsys) -> None:
    changed, differences = OTHERS[kind]
    runs = Runs(tmp_path / "runs")
    for seed in (0, 1):
        write(runs, seed, 3.0, {})
        write(runs, seed, 9.0, changed)
    main(["compare", str(runs.root), f"--out={tmp_path}/a.png"])
    table = cells(capsys.readouterr().out)
    main(["compare", str(runs.root), f"--out={tmp_path}/a.html"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    labels = {f"GTMM (DNC, {difference})" for difference in differences}
    assert set(table) == {f"DNC, {difference}" for difference in differences}
    assert {curve.name for curve in drawn[0][0]} == {f"{label}, 2 seeds" for label in labels}
    assert len({curve.line_style for curve in drawn[0][0]}) == 2
    named = set(re.findall(r"</span>(GTMM[^<]*)</span></th>", page))
    assert named == labels
    ratios = {row[1]: row[6] for row in table.values()}
    assert ratios == {
        f"DNC, {difference}": ratio
        for difference, ratio in zip(
            differences, ("0.900 [0.900, 0.900]", "0.300 [0.300, 0.300]"), strict=True
        )
    }
    for ratio in ("0.900 [0.900, 0.900]", "0.300 [0.300, 0.300]"):
        assert ratio in page


def test_runs_and_their_records_count_once(tmp_path: Path) -> None:
    """Counting both would make an interval 2.4 times too narrow."""
    runs = Runs(tmp_path / "runs")
    for seed in range(3):
        write(runs, seed, 3.0 + seed, {})
    for run in read_runs([runs.root]).runs:
        keep(record_of(run), tmp_path / f"records/{run.seed}.json")
    main(["compare", f"{tmp_path}/records", str(runs.root), f"--out={tmp_path}/a.md"])
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert "| 3 seeds: 0, 1, 2 | 0.400 [0.152, 0.648] |" in text
    assert "count as one" not in text


def test_runs_that_only_were_fitted_give_the_others_no_other_names(tmp_path: Path, capsys) -> None:
    """They affect the grouping of the page, and so that of the table."""
    runs = Runs(tmp_path / "runs")
    write(runs, 0, 3.0, {})
    write(runs, 1, 9.0, {"max_steps": 500})
    for folder in runs.root.glob("*/max_steps-*"):
        (folder / "results.json").unlink()
    main(["compare", str(runs.root), f"--out={tmp_path}/a.png"])
    said = capsys.readouterr()
    assert list(cells(said.out)) == ["DNC, max_steps=3000"]
    assert said.err.count("has not been tested yet") == 1
    main(["compare", str(runs.root), f"--out={tmp_path}/a.html"])
    assert "GTMM (DNC, max_steps=3000)" in (tmp_path / "a.html").read_text(encoding="utf-8")
