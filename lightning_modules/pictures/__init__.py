"""Pictures of what a model remembers, drawn after each validation."""

from lightning_modules.pictures.callback import Pictures
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.maze_walk import Walk, maze_walk
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.visit_overlay import overlay, visit_overlay

__all__ = ["Pictures", "Walk", "kl_curve", "maze_walk", "memory_film", "overlay", "visit_overlay"]
