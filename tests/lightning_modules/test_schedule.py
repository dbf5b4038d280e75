"""The learning rate, step by step."""

import math

import pytest
import torch

from lightning_modules.schedule import warm_up_and_decay


def rates(warm_up: int, steps: float, count: int) -> list[float]:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = warm_up_and_decay(optimizer, warm_up, steps)
    seen = []
    for _ in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


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
