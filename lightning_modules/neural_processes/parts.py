"""The networks of a neural process, and what they hand from step to step."""

from typing import NamedTuple

from torch import nn

from lightning_modules.neural_processes.latents import LatentPath
from lightning_modules.neural_processes.networks import Decoder, PointEncoder
from lightning_modules.neural_processes.recurrent_path import RecurrentPath
from memory_cores import MemoryCore


class Parts(NamedTuple):
    """Networks of one width, in the order in which their weights are drawn."""

    latent_encoder: PointEncoder
    deterministic_encoder: PointEncoder
    memory: MemoryCore
    recurrent_path: RecurrentPath | None
    latent_path: LatentPath
    decoder: Decoder

    def modules(self) -> list[nn.Module]:
        """Return those that there are."""
        return [part for part in self if part is not None]

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence hands from step to step; None if they grow with the data."""
        held = self.memory.state_size
        if held is None:
            return None
        followed = 0 if self.recurrent_path is None else self.recurrent_path.state_size
        return held + followed + self.latent_path.state_size
