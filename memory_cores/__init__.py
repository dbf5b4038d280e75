"""Memory cores: one file each, interchangeable behind ``memory_cores.core.MemoryCore``."""

from memory_cores.core import Items, MemoryCore, MemorySizes, Weightings
from memory_cores.dnc import DNC
from memory_cores.no_memory import NoMemory

#: Every core; the conformance suite runs over this list.
CORES: tuple[type[MemoryCore], ...] = (DNC, NoMemory)

__all__ = ["CORES", "DNC", "Items", "MemoryCore", "MemorySizes", "NoMemory", "Weightings"]
