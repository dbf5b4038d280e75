"""Releasing a tested run: its files, that its test can be repeated, and usage errors."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cli import main
from lightning_modules.records.checkpoint_file import checksum_holds
from lightning_modules.records.kept import rounded
from tests.cli.commands import ROOT


@pytest.fixture
def tested(fit: Callable[..., Path], tiny: Callable[..., list[str]]) -> Path:
    """A run of two steps and its test."""
    folder = fit()
    main(["test", f"--ckpt_path={folder}/checkpoints/best.ckpt"])
    return folder


def scalars(folder: Path, file: str = "results.json") -> dict[str, float | None]:
    return json.loads((folder / file).read_text(encoding="utf-8"))["scalars"]


def test_a_release_is_small_and_repeats_the_test(
    tested: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tmp_path / "pretrained/maze"
    main(["release", str(tested), str(made)])
    assert {path.name for path in made.iterdir()} == {
        *("README.md", "checkpoints", "config.yaml", "record.json")
    }
    weights = made / "checkpoints/best.ckpt"
    assert checksum_holds(weights)
    content = torch.load(weights, weights_only=True)
    count = sum(value.numel() for value in content["state_dict"].values())
    assert weights.stat().st_size < 4 * count + 60_000
    text = "".join(p.read_text(encoding="utf-8") for p in made.glob("*.*"))
    assert str(tested) not in text.replace(f"default_root_dir: {tmp_path}/runs", "")
    published, record = scalars(made, "record.json"), (made / "record.json").read_bytes()
    monkeypatch.chdir(tmp_path)
    main(["test", f"--ckpt_path={weights}"])
    assert rounded(scalars(made)) == published
    assert (made / "record.json").read_bytes() == record, "a repeated test leaves it alone"
    # Not all that is in the working folder.
    assert " compare pretrained --out report.html" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["fit", f"--ckpt_path={weights}"])
    assert "has only weights; training needs the whole state" in capsys.readouterr().err


def test_the_card_says_what_the_test_found(tested: Path, tmp_path: Path) -> None:
    made = tmp_path / "maze"
    main(["release", str(tested), str(made)])
    lines = (made / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# GTMM (DNC) on MNISTMaze"
    assert "Trained for 2 steps, seed 0." in lines[2]
    bound = next(line for line in lines if line.startswith("| bound"))
    assert bound.split(" | ")[1] == f"{scalars(tested)['bound']:.1f}"
    assert "python cli.py test --ckpt_path maze/checkpoints/best.ckpt" in lines


def test_the_card_names_no_folder_of_this_machine(
    tested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new folder may be an absolute path."""
    monkeypatch.chdir(tmp_path)
    main(["release", str(tested), str(tmp_path / "pretrained/maze")])
    text = (tmp_path / "pretrained/maze/README.md").read_text(encoding="utf-8")
    assert "python cli.py test --ckpt_path pretrained/maze/checkpoints/best.ckpt\n" in text
    assert str(tmp_path) not in text


def test_mistakes_are_named(tested: Path, tmp_path: Path, complaint: Callable[..., str]) -> None:
    assert f"{tmp_path} exists; name a new folder" in complaint(
        "release", str(tested), str(tmp_path)
    )
    new = str(tmp_path / "new")
    assert "there is no folder" in complaint("release", str(tmp_path / "none"), new)
    (tested / "results.json").unlink()
    assert "has not been tested yet" in complaint("release", str(tested), new)
    (tested / "checkpoints/best.ckpt").unlink()
    assert "has no checkpoints/best.ckpt" in complaint("release", str(tested), new)
    assert not Path(new).exists()


@pytest.mark.processes
@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "pretrained").glob("*/")))
def test_a_released_model_finds_what_its_card_says(name: str, tmp_path: Path) -> None:
    """The whole test set, on any machine."""
    folder = shutil.copytree(ROOT / "pretrained" / name, tmp_path / name)
    published = scalars(folder, "record.json")
    assert (folder / "checkpoints/best.ckpt").stat().st_size < 5_000_000
    main(["test", f"--ckpt_path={folder}/checkpoints/best.ckpt"])
    found = scalars(folder)
    assert found.keys() == published.keys()
    for measure, value in published.items():
        expected = None if value is None else pytest.approx(value, rel=1e-3, abs=1e-4)
        assert found[measure] == expected, measure
