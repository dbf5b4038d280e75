"""Variational recurrent neural network, the baseline without memory (Chung et al. 2015)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.temporal_vaes.backbone import Step
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import NoMemory
from memory_cores.parts.checks import require_positive


class VRNN(TemporalVAE):
    """Variational recurrent network (Chung et al. 2015), whose only memory is an LSTM's state.

    h_t = f(h_{t-1}, x_{t-1}, z_{t-1}, a_t), and psi_t is h_t.

    Unlike a GTMM's, its recurrence sees the encoded frames, so in generation the mean of each frame
    is decoded and encoded again before the next step.

    Args:
        extracted_size: width of the features that the recurrence sees of a frame. Whole
            convolutional maps would leave the LSTM a third of the units, within a budget.
        **settings: settings of ``TemporalVAE``, without ``memory``.

    Raises:
        ValueError: a setting is out of range.
    """

    fixed_core = NoMemory
    decided = ("memory",)

    def __init__(self, extracted_size: int = 64, **settings: Any) -> None:
        require_positive(extracted_size=extracted_size)
        self.extracted_size = extracted_size  # needed by the base class's constructor
        super().__init__(memory=self.fixed_core, **settings)

    def make_extractor(self, feature_size: int) -> nn.Module:
        """Make the feature extractor of Chung et al., section 3."""
        return nn.Sequential(nn.Linear(feature_size, self.extracted_size), nn.ReLU())

    def evidence_size(self, action_size: int) -> int:
        """Return the width of the actions plus that of the last frame's extracted features."""
        return action_size + self.extracted_size

    def evidence(self, actions: Tensor, features: Tensor) -> Tensor:
        """Return [a_t; features of x_{t-1}] for known x_{t-1}; zeros before the first frame."""
        known = min(features.shape[1] + 1, actions.shape[1])
        shifted = F.pad(self.extractor(features), (0, 0, 1, 0))[:, :known]
        return torch.cat([actions[:, :known], shifted], 2)

    def imagine(self, actions: Tensor, step: Step) -> Tensor:
        """Return [a_t; features of the mean of the frame just generated]."""
        frame = self.decode(step.latent.unsqueeze(1), step.psi.unsqueeze(1)).sigmoid()
        extracted = self.extractor(self.visual.encode(frame))
        return torch.cat([actions, extracted.squeeze(1)], 1)
