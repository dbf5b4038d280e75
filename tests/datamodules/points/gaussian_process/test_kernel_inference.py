"""Inference of kernels, between the oracle, which knows them, and the prior."""

import math

import numpy as np
import pytest
import torch

from datamodules import DriftingFunctions, FunctionSequences
from datamodules.points.gaussian_process.kernel_inference import infer
from datamodules.points.gaussian_process.oracle import nll, predict

POINTS = 40
SETTINGS = {"sequence_length": 6, "context_steps": 3, "contexts": (4, 10), "most_points": 11}


def benchmark(regime: str, count: int) -> tuple[DriftingFunctions, FunctionSequences]:
    sizes = {"test_size": count, "test_points": POINTS, "seed": 3}
    if regime == "sparse":
        sizes |= {"sequence_length": 12, "context_steps": 10}
    else:
        sizes |= SETTINGS
    data = DriftingFunctions(regime=regime, **sizes)
    data.setup()
    return data, data.dataset("test").__getitems__(range(count))


def samples(data: DriftingFunctions, count: int) -> torch.Tensor:
    drift = data.recipe("test").drift
    paths = drift.paths(np.random.default_rng(0), count, data.test_length)
    return torch.from_numpy(paths).float()


def known(sequences: FunctionSequences) -> torch.Tensor:
    found = predict(sequences, POINTS)
    return nll(sequences.target_y[..., 0].double(), found.mean, found.variance)


@pytest.mark.parametrize("regime", ["sparse", "transfer"])
def test_a_prior_that_is_a_point_gives_the_oracle(regime: str) -> None:
    _, sequences = benchmark(regime, 1)
    found = infer(sequences.task.expand(5, -1, -1), sequences, POINTS)
    assert torch.allclose(found.nll, known(sequences), atol=1e-6)
    assert torch.allclose(found.effective_samples, torch.tensor(5.0).double())


def test_evidence_tells_the_true_kernel_from_others() -> None:
    _, sequences = benchmark("transfer", 1)
    kernels = torch.cat([sequences.task, sequences.task + 0.5, sequences.task + 1.0])
    found = infer(kernels, sequences, POINTS)
    assert found.effective_samples.min() >= 1 and found.effective_samples[0, 2] < 1.001
    assert torch.allclose(found.nll[:, 2:], known(sequences)[:, 2:], atol=1e-3)


@pytest.mark.parametrize(("regime", "noise"), [("sparse", 0.03), ("transfer", 0.05)])
def test_inference_is_between_knowledge_and_the_prior(regime: str, noise: float) -> None:
    data, sequences = benchmark(regime, 25)
    kernels = samples(data, 60)
    found = infer(kernels, sequences, POINTS, noise)
    blind = sequences._replace(context_mask=torch.zeros_like(sequences.context_mask))
    prior = infer(kernels, blind, POINTS).nll.mean()
    assert known(sequences).mean() < found.nll.mean() < prior - 0.5
    assert found.effective_samples.min() >= 1 and found.effective_samples.max() <= 60 + 1e-6
    last = found.effective_samples[:, -1].median()
    assert last < 0.5 * found.effective_samples[:, 0].median()


def test_without_a_context_all_samples_count_alike() -> None:
    data, sequences = benchmark("transfer", 2)
    blind = sequences._replace(context_mask=torch.zeros_like(sequences.context_mask))
    kernels = samples(data, 50)
    found = infer(kernels, blind, POINTS)
    assert torch.allclose(found.effective_samples, torch.tensor(50.0).double())
    y = sequences.target_y[0, 3, 7, 0].double()
    variance = kernels[:, 3, 1].double().square() + 0.02**2
    density = (-0.5 * y**2 / variance).exp() / (2 * math.pi * variance).sqrt()
    assert found.nll[0, 3, 7].item() == pytest.approx(-density.mean().log().item(), abs=1e-9)


def test_steps_do_not_use_later_evidence() -> None:
    data, sequences = benchmark("sparse", 2)
    later = sequences._replace(context_mask=sequences.context_mask.clone())
    later.context_mask[:, 6:] = False
    kernels = samples(data, 20)
    one, other = (infer(kernels, each, POINTS) for each in (sequences, later))
    for before, after in zip(one, other, strict=True):
        assert torch.allclose(before[:, :6], after[:, :6]) and not torch.allclose(before, after)
