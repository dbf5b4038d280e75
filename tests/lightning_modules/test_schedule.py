"""The learning rate, step by step."""

import math
from typing import Any

import lightning as L
import pytest
import torch

from datamodules import DriftingFunctions
from lightning_modules import SNP
from lightning_modules.schedule import slow_recurrence, warm_up_and_decay
from tests.lightning_modules.neural_processes.small_processes import SIZES


def rates(warm_up: int, steps: float, count: int) -> list[float]:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = warm_up_and_decay(optimizer, warm_up, steps)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_it_rises_in_a_line_and_falls_along_a_cosine_to_zero() -> None:
    found = rates(4, 10, 12)
    cosine = [0.25 * (1 + math.cos(math.pi * t / 10)) for t in range(11)]
    rise = [0.25, 0.5, 0.75, 1.0]
    assert found[:4] == pytest.approx([r * c for r, c in zip(rise, cosine, strict=False)])
    assert found[4:11] == pytest.approx(cosine[4:])
    assert found[10] == found[11] == pytest.approx(0)


def test_without_an_end_it_stays() -> None:
    assert rates(0, math.inf, 3) == [0.5] * 3
    assert rates(2, math.inf, 3) == [0.25, 0.5, 0.5]


class Rates(L.Callback):
    """The learning rate of every step of the optimiser."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])


def trained_rates(max_steps: int, **settings: Any) -> list[float]:
    """The rates of a training in which an epoch has 4 batches."""
    data = DriftingFunctions(
        sequence_length=4,
        context_steps=3,
        train_points=12,
        train_size=8,
        batch_size=2,
        val_size=1,
        test_size=1,
        test_points=12,
    )
    model, callback = SNP(**SIZES, hidden_size=4, learning_rate=0.01, **settings), Rates()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=-1 if max_steps > 0 else 2,
        max_steps=max_steps,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data)
    return callback.rates


@pytest.mark.filterwarnings("ignore")
def test_the_learning_rate_rises_and_falls_to_zero_until_the_last_step() -> None:
    found = trained_rates(8, warm_up=3)
    assert len(found) == 8
    assert found[0] < found[1] < found[2]
    assert all(later < earlier for earlier, later in zip(found[2:], found[3:], strict=False))
    assert found[-1] < 0.05 * 0.01
    rise = [1 / 3, 2 / 3, *[1.0] * 6]
    cosine = [0.01 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert found == pytest.approx([r * c for r, c in zip(rise, cosine, strict=True)])


@pytest.mark.filterwarnings("ignore")
def test_without_a_decay_the_learning_rate_stays() -> None:
    found = trained_rates(6, warm_up=2, decay=False)
    assert found[:6] == pytest.approx([0.005, *[0.01] * 5])


@pytest.mark.filterwarnings("ignore")
def test_epochs_end_a_training_too() -> None:
    found = trained_rates(-1, warm_up=0, decay=True)
    last = 0.005 * (1 + math.cos(math.pi * (len(found) - 1) / len(found)))
    assert found[0] == pytest.approx(0.01) and found[-1] == pytest.approx(last)


def test_the_recurrence_rises_with_the_square_of_the_step_to_its_share() -> None:
    groups = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    schedule = slow_recurrence(optimizer, share=0.4, warm_up=10)
    rates = []
    for _ in range(12):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert [rate for rate, _ in rates] == [0.5] * 12
    expected = [0.2 * (step / 10) ** 2 for step in range(1, 11)] + [0.2, 0.2]
    assert [recurrence for _, recurrence in rates] == pytest.approx(expected)
    assert slow_recurrence(optimizer, 0.4, 0).get_last_lr()[1] == pytest.approx(0.2)
