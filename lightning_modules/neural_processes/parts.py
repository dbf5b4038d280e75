"""The networks of a neural process, and the size of their recurrent state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from lightning_modules.neural_processes.latents import LatentPath
from lightning_modules.neural_processes.networks import (
    Decoder,
    ObservationModel,
    PointEncoder,
    SetEncoder,
)
from lightning_modules.neural_processes.recurrent_path import DeterministicPath, RecurrentPath
from memory_cores import MemoryCore, MemorySizes
from memory_cores.parts.checks import require_positive

#: Default layers of an encoder.
LAYERS = 4


class Parts(NamedTuple):
    """Networks of one width, in the order in which their weights are initialised."""

    latent_encoder: SetEncoder
    deterministic_encoder: SetEncoder
    memory: MemoryCore[Any]
    recurrent_path: DeterministicPath | None
    latent_path: LatentPath
    decoder: ObservationModel

    def modules(self) -> list[nn.Module]:
        """Return the parts that are present."""
        return [part for part in self if part is not None]

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence hands from step to step; None if they grow with the data."""
        memory = self.memory.state_size
        if memory is None:
            return None
        path = 0 if self.recurrent_path is None else self.recurrent_path.state_size
        return memory + path + self.latent_path.state_size


class PointSizes(NamedTuple):
    """Sizes that the data determine."""

    steps: int  #: T of training
    place: int  #: width Dx of a place
    place_range: float  #: places go from -place_range to place_range
    y: int  #: width Dy of a function's value


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the networks except their sizes.

    Args:
        memory: builds the memory core.
        make_latent_path: builds the latents for a given width.
        points: sizes that the data determine.
        latent_layers: layers of the encoder whose encodings the latents pool.
        deterministic_layers: layers of the encoder whose encodings the memory stores.
        recurrent_path: whether to add SNP's deterministic LSTM.
    """

    memory: Callable[[MemorySizes], MemoryCore]
    make_latent_path: Callable[[int], LatentPath]
    points: PointSizes
    latent_layers: int
    deterministic_layers: int
    recurrent_path: bool

    def parts(self, hidden_size: int, slots: int | None) -> Parts:
        """Make the networks.

        Args:
            hidden_size: width h.
            slots: for a core whose settings name none; None for the core's own default.

        Raises:
            ValueError: a number is below 1.
        """
        layers = self.latent_layers, self.deterministic_layers
        require_positive(
            hidden_size=hidden_size, latent_layers=layers[0], deterministic_layers=layers[1]
        )
        h, (steps, place, place_range, y) = hidden_size, self.points
        latent = PointEncoder(place + y, h, layers[0])
        # Built before the memory, so that its initial weights are the same with every core.
        deterministic = PointEncoder(place + y, h, layers[1])
        core = self.memory(MemorySizes(h, place, h, steps, place, place_range, slots=slots))
        return Parts(
            latent_encoder=latent,
            deterministic_encoder=deterministic,
            memory=core,
            recurrent_path=RecurrentPath(h) if self.recurrent_path else None,
            latent_path=self.make_latent_path(h),
            # An uncertain core appends a variance to each read, which counts as part of the place.
            decoder=Decoder(h, core.uncertain + place, y),
        )
