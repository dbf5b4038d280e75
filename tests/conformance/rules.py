"""Assertions that fail with one sentence, the rule of the contract, instead of tensors."""

from typing import Any

import torch
from torch import Tensor


def require(holds: bool | Tensor, rule: str) -> None:
    """Assert what a rule demands; pytest shows the rule, and not the tensors compared."""
    __tracebackhide__ = True
    assert bool(holds), rule


def require_close(
    ours: Any, theirs: Any, rule: str, rtol: float = 0.0, atol: float = 1e-10
) -> None:
    """Assert that (nested) tensors are equal up to rounding, by default in float64.

    The failure begins with the rule, then says how far they are apart.
    """
    __tracebackhide__ = True
    torch.testing.assert_close(
        ours, theirs, rtol=rtol, atol=atol, msg=lambda detail: f"{rule}\n\n{detail}"
    )
