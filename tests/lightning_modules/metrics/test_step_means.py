"""Metrics of two processes that have half of the sequences each."""

from pathlib import Path

import torch
import torch.multiprocessing
from torch import distributed

from lightning_modules.metrics import Measurement, StepMeans


def sequences() -> Measurement:
    generator = torch.Generator().manual_seed(0)
    where = torch.rand(6, 4, generator=generator) < 0.5
    return Measurement(torch.randn(6, 4, generator=generator), where)


def half(rank: int, folder: str) -> None:
    # A forked process would wait forever for the threads that its parent has started.
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    values, where = sequences()
    means = StepMeans(["a"], 4)
    # Unequal halves: averaging the processes' means would be wrong.
    own = slice(0, 1) if rank == 0 else slice(1, 6)
    means.update({"a": Measurement(values[own], where[own])})
    torch.save(means.sums()["a"].curve, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_every_process_has_the_means_of_all_sequences(tmp_path: Path) -> None:
    # Forked, since a fresh process would first import torch again.
    torch.multiprocessing.start_processes(half, (str(tmp_path),), nprocs=2, start_method="fork")
    values, where = sequences()
    expected = (values * where).sum(0) / where.sum(0)
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), expected)


def test_a_sequence_of_one_step_has_a_curve() -> None:
    """torchmetrics takes the dimensions off results of one number."""
    means = StepMeans(["a"], 1)
    means.update({"a": Measurement(torch.tensor([[1.0], [3.0]]), torch.tensor([[True], [True]]))})
    sums = means.sums()["a"]
    assert sums.curve.tolist() == [2.0] and sums.since(1).total.tolist() == [4.0]
