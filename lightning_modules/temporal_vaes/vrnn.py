"""Variational recurrent neural network, the baseline without memory (Chung et al. 2015)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.temporal_vaes.backbone import Step
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import NoMemory


class VRNN(TemporalVAE):
    """Model that remembers nothing but h_t = f(h_{t-1}, x_{t-1}, z_{t-1}, a_t); psi_t is h_t.

    Unlike a GTMM's, its recurrence sees the frames (encoded), so in generation each frame is
    decoded and encoded again before the next step.

    Args:
        **settings: settings of ``TemporalVAE``, without ``memory``.
    """

    fixed_core = NoMemory

    def __init__(self, **settings: Any) -> None:
        super().__init__(memory=self.fixed_core, **settings)

    def evidence_size(self, action_size: int, feature_size: int) -> int:
        """Return the width of the actions and the last frame's features."""
        return action_size + feature_size

    def evidence(self, actions: Tensor, features: Tensor) -> Tensor:
        """Return [a_t; encoded x_{t-1}] while x_{t-1} is known; before the first frame, zeros."""
        known = min(features.shape[1] + 1, actions.shape[1])
        shifted = F.pad(features, (0, 0, 1, 0))[:, :known]
        return torch.cat([actions[:, :known], shifted], 2)

    def imagine(self, actions: Tensor, step: Step) -> Tensor:
        """Return [a_t; the frame just generated, encoded]."""
        frame = self.decode(step.latent.unsqueeze(1), step.psi.unsqueeze(1)).sigmoid()
        return torch.cat([actions, self.visual.encode(frame).squeeze(1)], 1)
