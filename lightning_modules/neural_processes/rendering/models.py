"""TGQN and ATGQN: sequential neural processes that render patches (Singh et al. 2019; Yoon et al.).

They are SNP and ASNP with other networks: encodings, latents and reads are feature maps, the
latents are those of Temporal-ConvDRAW, and the decoder is a recurrent renderer.
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
    """Base class: neural processes whose networks work on feature maps.

    Args:
        patch_shape: channels, height and width of a patch; comes from the data on the command line.
        state_maps: maps of the latents' states, and of the deterministic ConvLSTM's.
        latent_maps: maps of each draw.
        draws: draws per step, at least 2: the first draw's prior does not see the context.
        renderer_maps: maps of the renderer's state.
        renderer_steps: number of rendering steps per patch.
        kernel_size: rows and columns of the kernels of latents, deterministic path and renderer,
            odd; those of RMR's trackers are 3. The authors' TGQN has 5, on larger maps; on the 2 x
            2 maps of an 8 x 8 patch, the outer weights would see nothing but zero padding.
        sigma: standard deviation of a value about the rendered one. 1 in the authors' code, with
            which the latents carry almost nothing at first: ATGQN-RMR (transfer, compact) has a KL
            of 0.2 nats per step after 1,000 steps and 1.5 after 4,000, when they save 0.6 nats per
            target. With 0.2 they are used from the start (TGQN: 3.7 instead of 0.06 after 1,000
            steps), and patches are as good.
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
        """Return the recipe of networks on feature maps."""
        for name in ("latent_layers", "deterministic_layers"):
            if self.hparams[name] != LAYERS:
                raise ValueError(
                    f"{name} must be left out in models of patches, whose encoder is fixed, "
                    f"got {self.hparams[name]}"
                )
        return PatchRecipe(**vars(super().make_recipe(*settings)), shapes=self._shapes())

    def pool_of_targets(self, batch: FunctionSequences, target: Points, context: Pool) -> Pool:
        """Pool the encodings of the targets; those of the contexts among them are reused."""
        unseen = RealPoints(batch.target_mask & ~batch.target_seen)
        return context.joined(Pool.of(self.latent_encoder(*target[:2], unseen), unseen))

    def _draws(self, size: int, pooling: Pooling) -> ConvDrawLatents:
        return ConvDrawLatents(size, pooling, self._shapes())

    def _shapes(self) -> MapShapes:
        names = "state_maps", "latent_maps", "draws", "renderer_maps", "renderer_steps"
        sizes = {name: self.hparams[name] for name in (*names, "kernel_size", "sigma")}
        require_positive(**sizes)
        require_at_least(2, draws=sizes["draws"])
        if sizes["kernel_size"] % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {sizes['kernel_size']}")
        channels, height, width = self.hparams["patch_shape"]
        if height % SHRINKING or width % SHRINKING:
            raise ValueError(
                f"patch_shape must have a height and width divisible by {SHRINKING}, got "
                f"{(channels, height, width)}"
            )
        return MapShapes((channels, height, width), **sizes)


class TGQN(PatchProcess):
    """Temporal generative query network: no attention, and no memory but the states of ConvLSTMs.

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
    ``step_in_x`` and ``recurrent_path``. The authors published no code for it: where the reads
    enter the renderer, and that imaginary values are pooled, follows their ASNP.

    Args:
        memory: builds the memory core.
        **settings: settings of ``PatchProcess``.
    """

    def __init__(self, memory: Callable[[MemorySizes], MemoryCore] = RMR, **settings: Any) -> None:
        super().__init__(memory=memory, **settings)

    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make the latents of Temporal-ConvDRAW."""
        return self._draws(size, pooling)
