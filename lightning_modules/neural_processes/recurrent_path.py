"""The deterministic LSTM of SNP, whose state is added to the targets' reads."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from memory_cores.parts.lstm import LSTMCell


class DeterministicPath(nn.Module, ABC):
    """Base class of deterministic recurrences over the contexts, whose output is added to reads."""

    @property
    @abstractmethod
    def state_size(self) -> int:
        """Numbers that a step hands to the next."""

    @abstractmethod
    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled encodings [B, T, R] to the summand of reads, [B, T, R]."""


class RecurrentPath(DeterministicPath):
    """LSTM with h_t = LSTM(h_{t-1}, r_1 + ... + r_t), where r_t pools the context of step t.

    The input is the running sum of pooled contexts, as in the authors' code; a step without a
    context adds nothing to it.

    Args:
        size: width h of encodings and states.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.lstm = LSTMCell(size, size)

    @property
    def state_size(self) -> int:
        """Numbers that a step hands to the next: the LSTM's state and its last input, 3 h."""
        return 3 * self.size

    def forward(self, pooled: Tensor) -> Tensor:
        """Return h [B, T, h] for pooled encodings [B, T, h], 0 where a context is empty."""
        return self.lstm.unroll(pooled.cumsum(1))
