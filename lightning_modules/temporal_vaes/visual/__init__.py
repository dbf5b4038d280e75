"""Encoders and decoders of frames."""

from lightning_modules.temporal_vaes.visual.compact import CompactNetworks
from lightning_modules.temporal_vaes.visual.digits import DigitNetworks
from lightning_modules.temporal_vaes.visual.networks import VisualNetworks, VisualSizes
from lightning_modules.temporal_vaes.visual.rooms import CompactRoomNetworks, RoomNetworks

__all__ = [
    "CompactNetworks",
    "CompactRoomNetworks",
    "DigitNetworks",
    "RoomNetworks",
    "VisualNetworks",
    "VisualSizes",
]
