"""The queue of the last items: pushing, dropping, and weights by item."""

import pytest
import torch
from torch import Tensor

from memory_cores.parts.item_queue import by_item, pushed


def rows(*numbers: float) -> Tensor:
    return torch.tensor(numbers).view(1, -1, 1)


def flags(*numbers: int) -> Tensor:
    return torch.tensor([numbers]) > 0


@pytest.mark.parametrize(
    ("new", "mask", "expected"),
    [
        (rows(9), flags(1), [9, 1, 2, 0]),
        (rows(9), flags(0), [1, 2, 0, 0]),
        (rows(9, 8), flags(1, 1), [9, 8, 1, 2]),
        (rows(9, 8, 7), flags(1, 0, 1), [9, 7, 1, 2]),
        (rows(9, 8, 7, 6, 5), flags(1, 1, 1, 1, 1), [9, 8, 7, 6]),
        (rows(), flags(), [1, 2, 0, 0]),
    ],
)
def test_new_rows_come_in_front_and_the_oldest_drop(
    new: Tensor, mask: Tensor, expected: list[float]
) -> None:
    queue = pushed(rows(1, 2, 0, 0), new.view(1, -1, 1), mask.view(1, -1), flags(1, 1, 0, 0))
    assert queue.flatten().tolist() == expected


def test_a_queue_that_grows_drops_nothing() -> None:
    queue = pushed(rows(1, 2), rows(9, 0, 7), flags(1, 0, 1), flags(1, 1), grows=True)
    assert queue.flatten().tolist() == [9, 7, 1, 2, 0]
    assert pushed(rows(1), rows(9), flags(1), flags(1), grows=True).flatten().tolist() == [9, 1]


def test_weights_stay_with_their_items() -> None:
    weights = torch.tensor([[[0.5, 0.25, 0.125]]])
    # The fourth item, the newest, took the first one's slot.
    read, write = by_item(weights, torch.tensor([[4]]), torch.tensor([[1.0]]))
    assert read.tolist() == [[[0.5, 0.125, 0.25]]] and write.tolist() == [[[1, 0, 0]]]
    read, write = by_item(weights, torch.tensor([[5]]), torch.tensor([[2.0]]))
    assert read.tolist() == [[[0.25, 0.5, 0.125]]] and write.tolist() == [[[0.5, 0.5, 0]]]
    assert not by_item(weights, torch.tensor([[5]]), torch.tensor([[0.0]])).write.any()
    many = by_item(weights, torch.tensor([[9]]), torch.tensor([[6.0]])).write
    torch.testing.assert_close(many, torch.full((1, 1, 3), 1 / 3))
