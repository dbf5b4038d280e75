"""NP and ANP: each step's latent depends on all contexts so far, and on no other latent.

The contexts of all steps form one set, in which x includes the step.
"""

from functools import partial
from typing import Any, ClassVar

from lightning_modules.neural_processes.latents import IndependentLatents, LatentPath
from lightning_modules.neural_processes.neural_process import NeuralProcess
from lightning_modules.neural_processes.pool import Pooling
from memory_cores import ContextWindow, Look
from memory_cores.parts.attention import AttentionKind


class NP(NeuralProcess):
    """Neural process (Garnelo et al. 2018): every target reads the mean of all contexts so far.

    Args:
        **settings: settings of ``NeuralProcess``, without ``memory`` and ``step_in_x``.
    """

    baseline_look = Look("#A3A3A3", "p")
    fixed_core = ContextWindow
    decided = "memory", "step_in_x"
    attention: ClassVar[AttentionKind] = "uniform"

    def __init__(self, **settings: Any) -> None:
        memory = partial(ContextWindow, slots="all", attention=self.attention)
        super().__init__(memory=memory, step_in_x=True, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make latents that are independent of one another."""
        return IndependentLatents(size, pooling)


class ANP(NP):
    """Attentive neural process (Kim et al. 2019): targets attend to all contexts so far.

    Args:
        **settings: settings of ``NeuralProcess``, without ``memory`` and ``step_in_x``.
    """

    baseline_look = Look("#7A7A7A", "h")
    attention = "multihead"
