"""Peak memory: the most bytes allocated at once."""

import pytest
import torch

from peak_memory import MEBIBYTE, peak_mebibytes, peak_of

CPU = torch.device("cpu")


def test_a_peak_is_the_most_that_is_held_at_once() -> None:
    assert peak_of([5, 5, -3, 10, -17]) == 17
    assert peak_of([-4, 1]) == 0
    assert peak_of([]) == 0


@pytest.mark.parametrize(("together", "mebibytes"), [(1, 1), (3, 3)])
def test_what_is_released_does_not_count(together: int, mebibytes: int) -> None:
    def step() -> None:
        for _ in range(2):
            _ = [torch.empty(MEBIBYTE, dtype=torch.uint8) for _ in range(together)]
            del _

    assert peak_mebibytes(step, CPU) == pytest.approx(mebibytes, rel=0.01)
