"""A batch on its way through a neural process: recalled from memory, then inferred."""

from typing import Any, NamedTuple

from torch import Tensor

from lightning_modules.neural_processes.latents import Evidence, Latents
from lightning_modules.neural_processes.networks import Targets
from memory_cores.parts.real_points import RealPoints


class Recalled(NamedTuple):
    """A batch with its memory written and read, before any latent is drawn."""

    points: Tensor  #: [B, T, M, h], the targets' part of the decoder's first layer
    asked: RealPoints  #: which of them are real
    evidence: Evidence
    kl: Tensor  #: [B, T], of what the memory drew
    snapshot: Any  #: the core's, of all steps


class Inferred(NamedTuple):
    """Predictions of a batch's targets, with latents inferred from them."""

    targets: Targets  #: [B, T, M, Dy]
    latents: Latents
    memory_kl: Tensor  #: [B, T], of what the memory drew
