"""Generative temporal model with memory (Gemici et al. 2017, section 3)."""

from collections.abc import Callable
from typing import Any

from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import DNC, MemoryCore, MemorySizes


class GTMM(TemporalVAE):
    """Generative temporal model with memory: its recurrence sees latents and actions, no frames.

    All information about frames passes through z.

    Args:
        memory: builds the memory core.
        **settings: settings of ``TemporalVAE``.
    """

    def __init__(self, memory: Callable[[MemorySizes], MemoryCore] = DNC, **settings: Any) -> None:
        super().__init__(memory=memory, **settings)
