"""Intermediate results of a neural process: a batch recalled from memory, then inferred."""

from typing import Any, NamedTuple

from torch import Tensor

from lightning_modules.neural_processes.latents import Evidence, Latents
from lightning_modules.neural_processes.networks import Targets
from memory_cores.parts.real_points import RealPoints


class Recalled(NamedTuple):
    """A batch after its memory was written and read, before any latent is drawn."""

    points: Tensor  #: [B, T, M, h], the targets' part of the decoder's first layer
    real_targets: RealPoints  #: which targets are real
    evidence: Evidence
    kl: Tensor  #: [B, T], of the memory's own samples
    snapshot: Any  #: the core's, at all steps


class Inferred(NamedTuple):
    """Predictions of a batch's targets, with latents inferred from them."""

    targets: Targets  #: [B, T, M, Dy]
    latents: Latents
    memory_kl: Tensor  #: [B, T], of the memory's own samples
