"""The networks of a neural process of patches."""

from dataclasses import dataclass

from lightning_modules.neural_processes.parts import Parts, Recipe
from lightning_modules.neural_processes.rendering.latents import ConvDrawLatents
from lightning_modules.neural_processes.rendering.patch_encoder import PatchEncoder
from lightning_modules.neural_processes.rendering.recurrent_path import ConvRecurrentPath
from lightning_modules.neural_processes.rendering.renderer import RecurrentRenderer
from lightning_modules.neural_processes.rendering.shapes import MapShapes
from memory_cores import MemorySizes
from memory_cores.parts.checks import require_positive


@dataclass(frozen=True)
class PatchRecipe(Recipe):
    """A ``Recipe`` whose encodings, states and reads are flattened feature maps.

    Args:
        shapes: sizes of the maps.
    """

    shapes: MapShapes

    def parts(self, hidden_size: int, slots: int | None) -> Parts:
        """Make the networks; here the hidden size h is a number of maps.

        Raises:
            ValueError: a number is below 1.
        """
        require_positive(hidden_size=hidden_size)
        h, shapes, (steps, place, place_range, _) = hidden_size, self.shapes, self.points
        # Shared by latents and memory: "an encoder to encode the real contexts" (appendix A.2).
        encoder = PatchEncoder(shapes.patch, place, h)
        width = h * shapes.pixels
        sizes = MemorySizes(
            width, place, width, steps, place, place_range, slots=slots, maps=shapes.area
        )
        core = self.memory(sizes)
        path = self.make_latent_path(h)
        assert isinstance(path, ConvDrawLatents)
        return Parts(
            latent_encoder=encoder,
            deterministic_encoder=encoder,
            memory=core,
            recurrent_path=ConvRecurrentPath(h, shapes) if self.recurrent_path else None,
            latent_path=path,
            decoder=RecurrentRenderer(h, core.uncertain + place, path.sample_size, shapes),
        )
