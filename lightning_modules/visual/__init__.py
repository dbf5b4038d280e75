"""Encoders and decoders of frames, one pair a file."""

from lightning_modules.visual.compact import CompactNetworks
from lightning_modules.visual.digits import DigitNetworks
from lightning_modules.visual.networks import VisualNetworks, VisualSizes

__all__ = ["CompactNetworks", "DigitNetworks", "VisualNetworks", "VisualSizes"]
