"""Models: the sequential-latent backbone and the families built on it."""

from lightning_modules.gtmm import GTMM
from lightning_modules.neural_processes import ANP, ASNP, NP, SNP
from lightning_modules.visual import CompactNetworks, DigitNetworks
from lightning_modules.vrnn import VRNN

__all__ = ["ANP", "ASNP", "GTMM", "NP", "SNP", "VRNN", "CompactNetworks", "DigitNetworks"]
