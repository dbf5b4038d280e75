"""Generative temporal model with memory (Gemici et al. 2017, section 3)."""

from collections.abc import Callable

from lightning_modules.temporal_vae import TemporalVAE
from lightning_modules.visual import CompactNetworks, VisualNetworks, VisualSizes
from memory_cores import DNC, MemoryCore, MemorySizes


class GTMM(TemporalVAE):
    """Its recurrence sees actions and latents, never frames: all it knows went through z.

    Args:
        sequence_length: steps T; this and the next two come from the data on the command line.
        action_size: width A of the actions, 0 where there are none.
        frame_shape: channels, height and width of a frame.
        memory: builds the memory core.
        visual: builds the encoder and the decoder.
        latent_size: width Z of z_t.
        controller_size: width H of the controller's state h_t.
        map_size: hidden units of the prior and the posterior map; 0 makes them linear.
        learning_rate: of Adam.
    """

    def __init__(
        self,
        sequence_length: int,
        action_size: int,
        frame_shape: tuple[int, int, int],
        memory: Callable[[MemorySizes], MemoryCore] = DNC,
        visual: Callable[[VisualSizes], VisualNetworks] = CompactNetworks,
        latent_size: int = 32,
        controller_size: int = 128,
        map_size: int = 128,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__(
            sequence_length,
            action_size,
            frame_shape,
            memory,
            visual,
            lambda feature_size: action_size,
            latent_size,
            controller_size,
            map_size,
            learning_rate,
        )
