"""Figures drawn from arrays; nothing here depends on a model."""

from lightning_modules.pictures.completion import completion
from lightning_modules.pictures.functions import functions
from lightning_modules.pictures.generation_grid import Generation, generation_grid
from lightning_modules.pictures.imaginary_keys import imaginary_keys
from lightning_modules.pictures.key_tracks import key_tracks
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.nll_curve import nll_curve
from lightning_modules.pictures.visit_overlay import overlay, visit_overlay

__all__ = [
    "Generation",
    "completion",
    "functions",
    "generation_grid",
    "imaginary_keys",
    "key_tracks",
    "kl_curve",
    "memory_film",
    "nll_curve",
    "overlay",
    "visit_overlay",
]
