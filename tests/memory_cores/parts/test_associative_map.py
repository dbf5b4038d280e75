"""Associative maps under autocast: the matrices of linear solves must not be rounded."""

import pytest
import torch

from memory_cores import DKM, MLSTM, BayesianRegression, GatedDelta, Items, MemorySizes
from memory_cores.core import Recollections
from memory_cores.parts.associative_map import AssociativeMap

T, B, N, V = 20, 4, 25, 32
SIZES = MemorySizes(control=8, key=2, value=V, steps=20, query=2, key_range=2.0)
CORES = [DKM, GatedDelta, BayesianRegression, MLSTM]
by_operators = pytest.mark.parametrize(
    "by_operators", [pytest.param(True, marks=pytest.mark.operators), False]
)


@by_operators
@pytest.mark.parametrize("kind", CORES)
def test_autocast_changes_reads_only_by_rounding(
    kind: type[AssociativeMap], by_operators: bool
) -> None:
    """With large sets and open gates, Gram matrices are far from the identity."""
    torch.manual_seed(0)
    core = kind(SIZES)
    if core.gated:
        with torch.no_grad():
            core.key_codes.scores.bias[-core.heads :] = 5.0
    keys, values = 4 * torch.rand(B, T, N, 2) - 2, torch.randn(B, T, N, V)
    items = Items(keys, values, torch.rand(B, T, N) < 0.9)
    controls, queries = torch.randn(B, T, 8), 4 * torch.rand(B, T, 6, 2) - 2

    def recall() -> tuple[torch.Tensor, Recollections]:
        recalled = core.unroll(controls, items)
        codes, _ = core.key_codes(queries)
        return core._answer_exactly(recalled.snapshot[3:], codes.transpose(-3, -2)), recalled

    exact, _ = recall()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, recalled = recall()
        values_read = core.lookup(recalled.snapshot, queries)
    assert (rounded - exact).norm() < 0.05 * exact.norm()
    values_read.float().square().sum().backward()
    for part in (
        values_read,
        recalled.total,
        *(p.grad for p in core.parameters() if p.grad is not None),
    ):
        assert part.isfinite().all()
