"""Models: the sequential-latent backbone and the families built on it."""

from lightning_modules.neural_processes import ANP, ASNP, NP, SNP
from lightning_modules.temporal_vaes import GTMM, VRNN
from lightning_modules.temporal_vaes.visual import CompactNetworks, DigitNetworks

__all__ = ["ANP", "ASNP", "GTMM", "NP", "SNP", "VRNN", "CompactNetworks", "DigitNetworks"]
