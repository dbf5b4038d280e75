"""The NLL of a fixed set with inferred kernels: its means, its reliability, and its file."""

import json
from pathlib import Path

import pytest
import torch

from datamodules import DriftingFunctions
from datamodules.points.gaussian_process import inferred_nll
from datamodules.points.gaussian_process.inferred_nll import (
    Inference,
    InferredNLL,
    factor_table,
    thinned,
)
from datamodules.points.gaussian_process.kernel_inference import KernelInference
from datamodules.points.gaussian_process.oracle import nll, predict

HOW = Inference(particles=40, sequences=3, targets=100)


@pytest.fixture
def data(tmp_path: Path) -> DriftingFunctions:
    sizes = {"test_size": 5, "test_points": 30, "sequence_length": 4, "context_steps": 3, "seed": 3}
    made = DriftingFunctions(regime="sparse", data_dir=str(tmp_path), contexts=(1, 2), **sizes)
    made.setup()
    return made


def kept(data: DriftingFunctions, tmp_path: Path) -> Path:
    return tmp_path / "optimal_nll" / f"{data.data_record()['test_sha256'][:16]}.inferred.json"


def test_distances_of_some_sequences_are_added_to_the_optimum_of_all(
    data: DriftingFunctions, tmp_path: Path
) -> None:
    assert data.inferred_nll() == {} and data.has_kernels_to_infer
    found = data.infer_nll(HOW)
    dataset = data.dataset("test")
    generator, table = torch.Generator().manual_seed(3), factor_table(dataset)
    above, samples = [], []
    for row in range(3):
        one = thinned(dataset.__getitems__([row]), 100, generator)
        known = predict(one, 30)
        optimum = nll(one.target_y[..., 0].double(), known.mean, known.variance)[0]
        runs = [
            KernelInference(dataset.recipe.drift, table, one, generator).run(40) for _ in range(2)
        ]
        above.append(torch.stack([(run.nll - optimum).mean(1) for run in runs]))
        samples.append(torch.stack([run.effective_samples for run in runs]))
    distance, effective = torch.stack(above), torch.stack(samples)
    optimal = data.optimal_nll("test")["nll"]
    torch.testing.assert_close(found.curves["nll"], optimal + distance.mean((0, 1)).float())
    torch.testing.assert_close(found.curves["effective_samples"], effective.mean((0, 1)).float())
    first, second = distance.mean((0, 2)).tolist()
    assert found.difference == pytest.approx(abs(first - second))
    alone = distance.mean((1, 2))
    assert found.sampling_error == pytest.approx((alone.var(correction=0) / 3).sqrt().item())
    assert found.least_samples == effective.min()
    content = json.loads(kept(data, tmp_path).read_text(encoding="utf-8"))
    assert content["inference"] == {"particles": 40, "sequences": 3, "targets": 100}
    assert content["is_bound"] == (not found.doubt)


@pytest.mark.parametrize(
    ("samples", "difference", "doubt"),
    [
        (10.0, 0.02, ""),
        (9.94, 0.0, "9.9 effective samples, below 10"),
        (50.0, 0.0214, "the runs differ by 0.021 nats, more than 0.02"),
        (50.0, float("nan"), "the runs differ by nan nats, more than 0.02"),
    ],
)
def test_only_what_can_be_trusted_is_compared_with(
    data: DriftingFunctions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    samples: float,
    difference: float,
    doubt: str,
) -> None:
    curves = {"nll": torch.tensor([0.5, 0.25]), "effective_samples": torch.tensor([40.0, 20])}
    result = InferredNLL(curves, difference, 0.01, samples)
    monkeypatch.setattr(inferred_nll, "infer_nll", lambda *_: result)
    assert data.infer_nll(HOW).doubt == doubt
    assert kept(data, tmp_path).is_file()
    assert {name: curve.tolist() for name, curve in data.inferred_nll().items()} == (
        {} if doubt else {"nll": [0.5, 0.25], "effective_samples": [40, 20]}
    )


def test_files_of_the_former_method_are_no_bounds(data: DriftingFunctions, tmp_path: Path) -> None:
    former = {
        "inference": {"samples": 100, "noise": 0.03, "targets": 20},
        "curves": {"nll": [0.6] * 4, "effective_samples": [30.0, 9, 3, 1]},
    }
    path = kept(data, tmp_path)
    path.parent.mkdir()
    path.write_text(json.dumps(former), encoding="utf-8")
    assert data.inferred_nll() == {}


@pytest.mark.parametrize("damaged", ["", '{"is_bound": tr', "[]"])
def test_a_damaged_file_is_no_bound(data: DriftingFunctions, tmp_path: Path, damaged: str) -> None:
    path = kept(data, tmp_path)
    path.parent.mkdir()
    path.write_text(damaged, encoding="utf-8")
    assert data.inferred_nll() == {}


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
    ("setting", "least"), [({"particles": 1}, 2), ({"sequences": 0}, 1), ({"targets": 0}, 1)]
)
def test_numbers_out_of_range_are_named(setting: dict, least: int) -> None:
    (name,) = setting
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, got {least - 1}"):
        Inference(**setting)
