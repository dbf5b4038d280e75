"""Models: the sequential-latent backbone and the families built on it."""

from lightning_modules.gtmm import GTMM
from lightning_modules.visual import CompactNetworks, DigitNetworks
from lightning_modules.vrnn import VRNN

__all__ = ["GTMM", "VRNN", "CompactNetworks", "DigitNetworks"]
