"""Variational recurrent neural network, the baseline without memory (Chung et al. 2015)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.backbone import Step
from lightning_modules.temporal_vae import TemporalVAE
from lightning_modules.visual import CompactNetworks, VisualNetworks, VisualSizes
from memory_cores import NoMemory


class VRNN(TemporalVAE):
    """h_t = f(h_{t-1}, x_{t-1}, z_{t-1}, a_t) is all it remembers; psi_t is h_t.

    Unlike a GTMM's, its recurrence sees the frames (encoded), so in generation each frame is
    decoded and encoded again before the next step.

    Args:
        sequence_length: steps T; this and the next two come from the data on the command line.
        action_size: width A of the actions, 0 where there are none.
        frame_shape: channels, height and width of a frame.
        visual: builds the encoder and the decoder.
        latent_size: width Z of z_t.
        controller_size: width H of the LSTM's state h_t.
        map_size: hidden units of the prior and the posterior map; 0 makes them linear.
        learning_rate: of Adam.
    """

    def __init__(
        self,
        sequence_length: int,
        action_size: int,
        frame_shape: tuple[int, int, int],
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
            NoMemory,
            visual,
            lambda feature_size: action_size + feature_size,
            latent_size,
            controller_size,
            map_size,
            learning_rate,
        )

    def evidence(self, actions: Tensor, features: Tensor) -> Tensor:
        """[a_t; encoded x_{t-1}] while x_{t-1} is known; before the first frame, zeros."""
        known = min(features.shape[1] + 1, actions.shape[1])
        shifted = F.pad(features, (0, 0, 1, 0))[:, :known]
        return torch.cat([actions[:, :known], shifted], 2)

    def imagine(self, actions: Tensor, step: Step) -> Tensor:
        """[a_t; the frame just generated, encoded]."""
        frame = self.decode(step.latent.unsqueeze(1), step.psi.unsqueeze(1)).sigmoid()
        return torch.cat([actions, self.visual.encode(frame).squeeze(1)], 1)
