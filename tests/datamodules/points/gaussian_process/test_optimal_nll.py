"""The optimal NLL of a test set: its groups, and that it is computed once."""

import json
import math
import os
from pathlib import Path

import pytest
import torch

from datamodules import DriftingFunctions
from datamodules.points.gaussian_process.oracle import FLOOR, nll, predict

SIZES = {"test_size": 9, "test_points": 40, "sequence_length": 5, "context_steps": 3, "seed": 3}


@pytest.fixture
def data(tmp_path: Path) -> DriftingFunctions:
    made = DriftingFunctions(regime="sparse", data_dir=str(tmp_path), contexts=(1, 4), **SIZES)
    made.setup()
    return made


def test_groups_are_means_over_sequences_and_their_targets(data: DriftingFunctions) -> None:
    found = data.optimal_nll("test")
    batch = data.dataset("test").__getitems__(range(9))
    prediction = predict(batch, 40)
    target = batch.target_y[..., 0].double()
    values = nll(target, prediction.mean, prediction.variance)
    z = (target - prediction.mean) / prediction.variance.sqrt().clamp_min(FLOOR)
    for t in range(5):
        groups: dict[str, list[float]] = {name: [] for name in found}
        for b in range(9):
            context = bool(batch.context_mask[b, t].any())
            seen, own = batch.target_seen[b, t], values[b, t]
            groups["nll"].append(own.mean().item())
            groups["squared_z"].append(z[b, t].square().mean().item())
            groups[f"nll_{'with' if context else 'without'}_context"].append(own.mean().item())
            groups["nll_unseen"].append(own[~seen].mean().item())
            if seen.any():
                groups["nll_seen"].append(own[seen].mean().item())
        for name, own in groups.items():
            expected = sum(own) / len(own) if own else math.nan
            assert found[name][t].item() == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_it_is_kept_under_the_hash_of_the_test_set(
    data: DriftingFunctions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data.optimal_nll("test")
    (kept,) = (tmp_path / "optimal_nll").iterdir()
    assert data.data_record()["test_sha256"].startswith(kept.stem)
    monkeypatch.setattr(
        "datamodules.points.gaussian_process.optimal_nll.curves",
        lambda dataset: pytest.fail("again"),
    )
    data._optima.clear()
    again = data.optimal_nll("test")
    assert all(torch.equal(first[name].nan_to_num(9), again[name].nan_to_num(9)) for name in first)
    assert len(json.loads(kept.read_text(encoding="utf-8"))["nll"]) == 5


def test_a_file_of_an_earlier_version_is_made_again(
    data: DriftingFunctions, tmp_path: Path
) -> None:
    first = data.optimal_nll("test")
    (kept,) = (tmp_path / "optimal_nll").iterdir()
    older = json.loads(kept.read_text(encoding="utf-8"))
    del older["squared_z"]
    kept.write_text(json.dumps(older), encoding="utf-8")
    data._optima.clear()
    assert torch.equal(data.optimal_nll("test")["squared_z"], first["squared_z"])
    assert "squared_z" in json.loads(kept.read_text(encoding="utf-8"))


@pytest.mark.parametrize("damaged", ["", '{"nll": [0.5,', "\0" * 9, "null", "[]"])
def test_a_damaged_file_is_made_again(
    data: DriftingFunctions, tmp_path: Path, damaged: str
) -> None:
    first = data.optimal_nll("test")
    (kept,) = (tmp_path / "optimal_nll").iterdir()
    whole = kept.read_bytes()
    kept.write_text(damaged, encoding="utf-8")
    data._optima.clear()
    assert torch.equal(data.optimal_nll("test")["nll"], first["nll"])
    assert kept.read_bytes() == whole and [*kept.parent.iterdir()] == [kept]


def test_the_file_is_on_the_disk_before_it_takes_its_place(
    data: DriftingFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    data.optimal_nll("test")
    assert len(synced) == 1 and synced[0] > 100


def test_seen_targets_are_certain(data: DriftingFunctions) -> None:
    """The NLL of seen targets is that of the decoder's floor, up to the jitter of the values."""
    seen = data.optimal_nll("test")["nll_seen"]
    assert torch.allclose(seen, torch.full((5,), -1.3836), atol=1e-3)
