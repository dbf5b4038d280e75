"""TGQN and ATGQN: sequential neural processes that render patches (Singh et al. 2019; Yoon et al.).

They are SNP and ASNP with other networks: encodings, latents and reads are maps, the latents are
those of Temporal-ConvDRAW, and the decoder is a recurrent renderer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from datamodules.points.batch import FunctionSequences
from lightning_modules.neural_processes.latents import LatentPath
from lightning_modules.neural_processes.neural_process import NeuralProcess, Points
from lightning_modules.neural_processes.parts import LAYERS, Recipe
from lightning_modules.neural_processes.pool import Pool, Pooling
from lightning_modules.neural_processes.rendering.latents import ConvDrawLatents
from lightning_modules.neural_processes.rendering.parts import PatchRecipe
from lightning_modules.neural_processes.rendering.shapes import SHRINKING, MapShapes
from memory_cores import RMR, ContextWindow, Look, MemoryCore, MemorySizes
from memory_cores.parts.checks import require_at_least, require_positive
from memory_cores.parts.real_points import RealPoints


class PatchProcess(NeuralProcess):
    """Base class: networks of maps.

    Args:
        patch_shape: channels, height and width of a patch; comes from the data on the command line.
        state_maps: maps of the latents' states, and of the deterministic ConvLSTM's.
        latent_maps: maps of each draw.
        draws: draws of a step, at least 2: the first one's prior knows nothing of the context.
        renderer_maps: maps of the renderer's state.
        renderer_steps: how often it paints a patch.
        kernel_size: rows and columns of the kernels of latents, deterministic path and renderer,
            odd; those of RMR's trackers are 3. The authors' TGQN has 5, on larger maps; on the 2 x
            2 of a patch of 8 x 8, the outer weights of that would meet nothing but the frame of
            zeros.
        sigma: standard deviation of a value about what is painted; 1 in the authors' code, with
            which latents say nearly nothing at first: ATGQN-RMR (transfer, compact) has a KL of 0.2
            nats a step after 1,000 steps and 1.5 after 4,000, by when they save 0.6 nats a target.
            With 0.2 they are used at once (TGQN: 3.7 instead of 0.06 after 1,000 steps), and
            patches are as good.
        **settings: settings of ``NeuralProcess``.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self,
        patch_shape: tuple[int, int, int],
        state_maps: int = 40,
        latent_maps: int = 4,
        draws: int = 3,
        renderer_maps: int = 32,
        renderer_steps: int = 2,
        kernel_size: int = 3,
        sigma: float = 1.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)

    def make_recipe(self, *settings: Any) -> Recipe:
        """Make the recipe of networks of maps."""
        for name in ("latent_layers", "deterministic_layers"):
            if self.hparams[name] != LAYERS:
                raise ValueError(
                    f"{name} must be left out in models of patches, whose encoder is another one, "
                    f"got {self.hparams[name]}"
                )
        return PatchRecipe(**vars(super().make_recipe(*settings)), shapes=self._shapes())

    def pool_of_targets(self, batch: FunctionSequences, target: Points, context: Pool) -> Pool:
        """Pool the encodings of the targets: contexts are among them, and encoded already."""
        others = RealPoints(batch.target_mask & ~batch.target_seen)
        return context.joined(Pool.of(self.latent_encoder(*target[:2], others), others))

    def _draws(self, size: int, pooling: Pooling) -> ConvDrawLatents:
        return ConvDrawLatents(size, pooling, self._shapes())

    def _shapes(self) -> MapShapes:
        names = "state_maps", "latent_maps", "draws", "renderer_maps", "renderer_steps"
        given = {name: self.hparams[name] for name in (*names, "kernel_size", "sigma")}
        require_positive(**given)
        require_at_least(2, draws=given["draws"])
        if given["kernel_size"] % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {given['kernel_size']}")
        channels, height, width = self.hparams["patch_shape"]
        if height % SHRINKING or width % SHRINKING:
            raise ValueError(
                f"patch_shape must have a height and width divisible by {SHRINKING}, got "
                f"{(channels, height, width)}"
            )
        return MapShapes((channels, height, width), **given)


class TGQN(PatchProcess):
    """Temporal generative query network: no attention, no memory but the states of ConvLSTMs.

    Args:
        **settings: settings of ``PatchProcess``, without ``memory`` and ``recurrent_path``.
    """

    baseline_look = Look("#4D4D4D", "d")
    fixed_core = ContextWindow
    decided = "memory", "recurrent_path"

    def __init__(self, **settings: Any) -> None:
        memory = partial(ContextWindow, slots=0, attention="uniform")
        super().__init__(memory=memory, recurrent_path=True, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make the latents of Temporal-ConvDRAW."""
        return self._draws(size, pooling)


class ATGQN(PatchProcess):
    """Attentive TGQN, with any memory core.

    ATGQN-RMR has the core ``RMR`` and pools it; ATGQN-W has the core ``ContextWindow``,
    ``step_in_x`` and ``recurrent_path``. No code of the authors is known: where the reads enter the
    renderer, and that imaginary values are pooled, is as in their ASNP.

    Args:
        memory: builds the memory core.
        **settings: settings of ``PatchProcess``.
    """

    def __init__(self, memory: Callable[[MemorySizes], MemoryCore] = RMR, **settings: Any) -> None:
        super().__init__(memory=memory, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make the latents of Temporal-ConvDRAW."""
        return self._draws(size, pooling)
