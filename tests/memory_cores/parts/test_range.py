"""Ranges of learned numbers: bounds, inverse, and a gradient everywhere."""

import torch

from memory_cores.parts.range import Range

RANGE = Range(-2.0, 5.0)


def test_raw_numbers_map_into_the_range() -> None:
    raw = torch.tensor([-1e9, 0.0, 1e9])
    assert RANGE.of(raw).tolist() == [-2.0, 1.5, 5.0]
    numbers = torch.tensor([-1.9, 0.0, 4.5])
    torch.testing.assert_close(RANGE.of(RANGE.raw(numbers)), numbers)


def test_numbers_are_kept_in_the_range_and_their_gradients_pass() -> None:
    numbers = torch.tensor([-1e30, -2.1, 0.1, 5.0, 9.0, 1e30], requires_grad=True)
    kept = RANGE.kept(numbers)
    assert torch.equal(kept, torch.tensor([-2.0, -2.0, 0.1, 5.0, 5.0, 5.0]))
    kept.sum().backward()
    assert numbers.grad is not None and (numbers.grad == 1).all()


def test_a_number_at_a_bound_has_a_gradient() -> None:
    raw = torch.tensor([-8.0, 8.0], requires_grad=True)
    RANGE.of(raw).sum().backward()
    assert (raw.grad > 1e-3).all()
