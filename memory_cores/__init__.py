"""Memory cores: one file each, interchangeable behind ``memory_cores.core.MemoryCore``."""

from itertools import cycle

from memory_cores.bayesian_regression import BayesianRegression
from memory_cores.context_window import ContextWindow
from memory_cores.core import Items, MemoryCore, MemorySizes, Recollections, Weightings
from memory_cores.dkm import DKM
from memory_cores.dnc import DNC
from memory_cores.gated_delta import GatedDelta
from memory_cores.hybrid import Hybrid
from memory_cores.introspection import Introspection
from memory_cores.lru import LRU
from memory_cores.mlstm import MLSTM
from memory_cores.no_memory import NoMemory
from memory_cores.ntm import NTM
from memory_cores.parts.palette import PALETTE, Look
from memory_cores.rmr import RMR
from memory_cores.sam import SAM
from memory_cores.transformer_cache import TransformerCache

#: Every core; tests and benchmarks iterate over this list. Append new ones: a core's position
#: determines its colour and marker.
CORES: tuple[type[MemoryCore], ...] = (
    DNC,
    ContextWindow,
    Introspection,
    LRU,
    NTM,
    NoMemory,
    RMR,
    GatedDelta,
    MLSTM,
    BayesianRegression,
    DKM,
    TransformerCache,
    Hybrid,
    SAM,
)

for _core, _look in zip(CORES, cycle(PALETTE), strict=False):
    _core.look = _look

__all__ = [
    "BayesianRegression",
    "CORES",
    "ContextWindow",
    "DKM",
    "DNC",
    "GatedDelta",
    "Hybrid",
    "Introspection",
    "Items",
    "LRU",
    "Look",
    "MLSTM",
    "MemoryCore",
    "MemorySizes",
    "NTM",
    "NoMemory",
    "RMR",
    "Recollections",
    "TransformerCache",
    "SAM",
    "Weightings",
]
