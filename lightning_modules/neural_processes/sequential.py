"""SNP and ASNP: each latent depends on those before (Singh et al. 2019, Yoon et al. 2020)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lightning_modules.neural_processes.latents import LatentPath, SequentialLatents
from lightning_modules.neural_processes.neural_process import NeuralProcess
from lightning_modules.neural_processes.pool import Pooling
from memory_cores import RMR, ContextWindow, Look, MemoryCore, MemorySizes


class SNP(NeuralProcess):
    """Sequential neural process: no attention, and no memory but the states of two LSTMs.

    Args:
        **settings: settings of ``NeuralProcess``, without ``memory`` and ``recurrent_path``.
    """

    baseline_look = Look("#4D4D4D", "d")
    fixed_core = ContextWindow
    decided = "memory", "recurrent_path"

    def __init__(self, **settings: Any) -> None:
        # Targets read the mean of their own step's context.
        memory = partial(ContextWindow, slots=0, attention="uniform")
        super().__init__(memory=memory, recurrent_path=True, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make latents that an LSTM carries from step to step."""
        return SequentialLatents(size, pooling)


class ASNP(NeuralProcess):
    """Attentive sequential neural process, with any memory core.

    ASNP-RMR has the core ``RMR`` and pools it; ASNP-W has the core ``ContextWindow``,
    ``step_in_x`` and ``recurrent_path``.

    Args:
        memory: builds the memory core.
        **settings: settings of ``NeuralProcess``.
    """

    def __init__(self, memory: Callable[[MemorySizes], MemoryCore] = RMR, **settings: Any) -> None:
        super().__init__(memory=memory, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make latents that an LSTM carries from step to step."""
        return SequentialLatents(size, pooling)
