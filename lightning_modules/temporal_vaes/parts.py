"""The networks of a temporal VAE, and the size of their recurrent state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from lightning_modules.temporal_vaes.backbone import Backbone, psi_size
from lightning_modules.temporal_vaes.visual import VisualNetworks, VisualSizes
from memory_cores import MemoryCore, MemorySizes
from memory_cores.parts.checks import require_positive
from memory_cores.parts.clock import clock_periods

Start = Literal["timed", "associative", "plain"]


class Parts(NamedTuple):
    """Networks of a temporal VAE."""

    visual: VisualNetworks
    extractor: nn.Module
    backbone: Backbone
    extracted: int  #: width of the last frame's part of the evidence

    def modules(self) -> tuple[VisualNetworks, nn.Module, Backbone]:
        """Return the networks."""
        return self[:3]

    @property
    def state_size(self) -> int | None:
        """Numbers that a sequence hands from step to step; None if they grow with the data."""
        backbone = self.backbone.state_size
        return None if backbone is None else backbone + self.extracted


class FrameSizes(NamedTuple):
    """Sizes that the data and the model's class determine."""

    steps: int  #: T
    actions: int  #: width A of the actions
    extracted: int  #: width of the last frame's part of the evidence
    frame: tuple[int, int, int]  #: channels, height and width


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the networks except their sizes.

    Args:
        memory: builds the memory core.
        visual: builds the encoder and the decoder.
        make_extractor: builds the module through which the recurrence sees a frame's features.
        frames: sizes that the data and the model's class determine.
        compile: compile the recurrence for training.
    """

    memory: Callable[[MemorySizes], MemoryCore]
    visual: Callable[[VisualSizes], VisualNetworks]
    make_extractor: Callable[[int], nn.Module]
    frames: FrameSizes
    compile: bool

    def parts(
        self,
        controller_size: int,
        latent_size: int,
        map_size: int,
        slots: int | None,
        start: Start = "plain",
    ) -> Parts:
        """Make the networks; a plain start is fastest if parameters are only counted.

        Args:
            controller_size: width H.
            latent_size: width Z.
            map_size: hidden units of the prior and the posterior map.
            slots: for a core whose settings name none; None for the core's own default.
            start: initial weights.

        Raises:
            ValueError: the controller's size is below 1.
        """
        require_positive(controller_size=controller_size)
        steps, actions, extracted, frame = self.frames
        periods = clock_periods(controller_size, steps) if start == "timed" else ()
        sizes = MemorySizes(controller_size, controller_size, latent_size, steps, slots=slots)
        core = self.memory(sizes._replace(clock=periods, plain=start == "plain"))
        decoder_inputs = latent_size + psi_size(core, controller_size)
        networks = self.visual(VisualSizes(frame, decoder_inputs))
        extractor = self.make_extractor(networks.feature_size)
        backbone = Backbone(
            core,
            evidence_size=actions + extracted,
            feature_size=networks.feature_size,
            latent_size=latent_size,
            controller_size=controller_size,
            map_size=map_size,
            compile=self.compile,
        )
        return Parts(networks, extractor, backbone, extracted)
