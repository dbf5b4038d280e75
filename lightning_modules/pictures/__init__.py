"""Pictures of what a model remembers, drawn after each validation."""

from lightning_modules.pictures.callback import Pictures
from lightning_modules.pictures.generation_grid import Generation, generation_grid
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.visit_overlay import overlay, visit_overlay

__all__ = [
    "Generation",
    "Pictures",
    "generation_grid",
    "kl_curve",
    "memory_film",
    "overlay",
    "visit_overlay",
]
