"""Small sequences of functions, and every model of the family."""

from collections.abc import Callable
from functools import partial

import torch

from datamodules import FunctionSequences
from lightning_modules import ANP, ASNP, NP, SNP
from lightning_modules.neural_processes import NeuralProcess
from memory_cores import RMR, ContextWindow

SIZES = {"sequence_length": 4, "test_length": 4, "x_size": 1, "x_range": 4.0, "y_size": 1}
MODELS: dict[str, Callable[..., NeuralProcess]] = {
    "NP": NP,
    "ANP": ANP,
    "SNP": SNP,
    "ASNP-W": partial(
        ASNP, memory=partial(ContextWindow, slots=3), step_in_x=True, recurrent_path=True
    ),
    "ASNP-RMR": partial(ASNP, memory=partial(RMR, slots=5), pool_memory=True),
    "ASNP-RMR, stochastic": partial(
        ASNP, memory=partial(RMR, slots=5, stochastic_keys=True), pool_memory=True
    ),
}


def draw(
    contexts: list[list[int]], targets: list[list[int]], seed: int = 0, x_size: int = 1
) -> FunctionSequences:
    """Random sequences with the given numbers of context points and targets in each step.

    A step's first targets are its context points, as far as there are any.
    """
    generator = torch.Generator().manual_seed(seed)
    n, m = torch.tensor(contexts), torch.tensor(targets)
    N, M = max(1, int(n.max())), int(m.max())
    shape = *n.shape, max(N, M)
    x = torch.randn(*shape, x_size, generator=generator, dtype=torch.float64)
    y = torch.randn(*shape, 1, generator=generator, dtype=torch.float64)
    rows = torch.arange(max(N, M))
    context_mask, target_mask = (rows < count.unsqueeze(-1) for count in (n, m))
    padded = [
        torch.where(mask.unsqueeze(-1), v, 0.0)
        for mask in (context_mask, target_mask)
        for v in (x, y)
    ]
    return FunctionSequences(
        *(v[:, :, :N] for v in (*padded[:2], context_mask)),
        *(v[:, :, :M] for v in (*padded[2:], target_mask)),
        target_seen=(context_mask & target_mask)[:, :, :M],
        task=torch.zeros(*n.shape, 2),
        episode=torch.arange(len(n)),
    )


#: Two sequences whose steps have 1 to 6 targets, so that sums and means over them differ.
UNEVEN = draw([[0, 3, 0, 5], [2, 0, 1, 4]], [[4, 1, 6, 2], [3, 5, 2, 6]])
