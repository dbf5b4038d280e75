"""The NLL of a fixed set for one who infers the kernels: its means, and that it is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import DriftingFunctions
from datamodules.points.gaussian_process.inferred_nll import SALT, Inference, thinned
from datamodules.points.gaussian_process.kernel_inference import infer

HOW = Inference(samples=6, noise=0.05, targets=100)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DriftingFunctions:
    monkeypatch.setattr("datamodules.points.gaussian_process.inferred_nll.TOGETHER", 2)
    sizes = {"test_size": 5, "test_points": 30, "sequence_length": 4, "context_steps": 3, "seed": 3}
    made = DriftingFunctions(regime="sparse", data_dir=str(tmp_path), contexts=(1, 4), **sizes)
    made.setup()
    return made


def test_it_is_the_mean_over_sequences_and_is_kept_beside_the_optimum(
    data: DriftingFunctions, tmp_path: Path
) -> None:
    assert data.inferred_nll() == {}
    assert data.has_kernels_to_infer
    found = data.infer_nll(HOW)
    kernels = data.recipe("test").drift.paths(np.random.default_rng([3, SALT]), 6, 4)
    whole = infer(
        torch.from_numpy(kernels).float(), data.dataset("test").__getitems__(range(5)), 30, 0.05
    )
    torch.testing.assert_close(found["nll"], whole.nll.mean((0, 2)))
    torch.testing.assert_close(found["effective_samples"], whole.effective_samples.mean(0))
    (kept,) = (tmp_path / "optimal_nll").iterdir()
    assert kept.name == f"{data.data_record()['test_sha256'][:16]}.inferred.json"
    for name, curve in data.inferred_nll().items():
        torch.testing.assert_close(curve, found[name].float())


def test_targets_that_are_left_are_distinct_real_ones(data: DriftingFunctions) -> None:
    batch = data.dataset("test").__getitems__(range(5))
    padded = batch._replace(target_mask=batch.target_mask & (torch.rand(5, 4, 30) < 0.5))
    found = thinned(padded, 8, torch.Generator().manual_seed(0))
    for b in range(5):
        for t in range(4):
            real = padded.target_mask[b, t]
            known = (part[b, t, real, 0].tolist() for part in (batch.target_x, batch.target_y))
            values = dict(zip(*known, strict=True))
            mask = found.target_mask[b, t]
            left = found.target_x[b, t, mask, 0].tolist()
            assert len(set(left)) == len(left) == min(8, real.sum())
            assert found.target_y[b, t, mask, 0].tolist() == [values[x] for x in left]


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"samples": 0}, "samples"), ({"targets": 0}, "targets"), ({"noise": 0.0}, "noise")],
)
def test_numbers_out_of_range_are_named(setting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message} must be"):
        Inference(**setting)
