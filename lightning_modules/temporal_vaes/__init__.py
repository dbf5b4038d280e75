"""Temporal variational auto-encoders: sequences of frames, step after step (Gemici et al. 2017)."""

from lightning_modules.temporal_vaes.gtmm import GTMM
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from lightning_modules.temporal_vaes.vrnn import VRNN

__all__ = ["GTMM", "VRNN", "TemporalVAE"]
