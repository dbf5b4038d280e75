"""Models: the sequential-latent backbone and the families built on it."""

from lightning_modules.declarations import Family
from lightning_modules.neural_processes import ANP, ASNP, ATGQN, NP, SNP, TGQN
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.temporal_vaes import GTMM, VRNN
from lightning_modules.temporal_vaes.visual import (
    CompactNetworks,
    CompactRoomNetworks,
    DigitNetworks,
    RoomNetworks,
)

#: Every model; the first of each family represents it.
MODELS: tuple[type[SequenceModel], ...] = (GTMM, VRNN, NP, ANP, SNP, ASNP, TGQN, ATGQN)

__all__ = [
    "ANP",
    "ASNP",
    "ATGQN",
    "GTMM",
    "MODELS",
    "NP",
    "SNP",
    "TGQN",
    "VRNN",
    "CompactNetworks",
    "CompactRoomNetworks",
    "DigitNetworks",
    "RoomNetworks",
]


def families() -> list[Family]:
    """Return the declaration of every family, without duplicates."""
    return list({model.family().name: model.family() for model in MODELS}.values())
