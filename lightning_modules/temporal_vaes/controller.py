"""The recurrent controller: an LSTM whose known inputs are mapped before the loop over time."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.speed.late_gradient import LateGradient
from memory_cores.parts.clock import start_clock
from memory_cores.parts.lstm import lstm_step, start_remembering


class ControllerState(NamedTuple):
    """LSTM state of B sequences."""

    hidden: Tensor  #: [B, H], what the rest of the model sees as h_t
    cell: Tensor  #: [B, H]
    seen: Tensor  #: [B, H + F], detached: the inputs of the recurrent gates


class Controller(nn.Module):
    """LSTM on [evidence_t; h_{t-1}; feedback_t], split so that the loop does only what recurs.

    ``evidence`` (actions, encoded frames) is known for all steps at once; ``feedback`` (the last
    latent and reads) is not. Biases start at zero, the forget gate's at one.
    """

    def __init__(self, evidence_size: int, feedback_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        with warnings.catch_warnings():
            # Where nothing is known beforehand the evidence has width 0, and only the bias is left.
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            self.evidence_gates = nn.Linear(evidence_size, 4 * hidden_size)
        self.recurrent_gates = nn.Linear(hidden_size + feedback_size, 4 * hidden_size, bias=False)
        start_remembering(self.evidence_gates.bias)

    def start_clock(self, periods: Sequence[float]) -> None:
        """Make the first units a clock whose hands have these periods, in steps."""
        evidence = self.evidence_gates
        start_clock(self.recurrent_gates.weight, evidence.weight, evidence.bias, periods)

    def initial_state(self, batch_size: int, like: Tensor) -> ControllerState:
        """Return zeros on the device and in the dtype of ``like``."""
        zeros = like.new_zeros(batch_size, self.hidden_size)
        return ControllerState(
            zeros, zeros, like.new_zeros(batch_size, self.recurrent_gates.in_features)
        )

    def known_gates(self, evidence: Tensor, seen: list[Tensor]) -> Tensor:
        """Map the evidence of all steps [B, T, E] to gates [T, B, 4 H], for ``late`` steps.

        Args:
            evidence: [B, T, E].
            seen: a list to which the loop must append the states' ``seen``, [S, B, H + F] for some
                steps at a time.
        """
        gates = self.evidence_gates(evidence.transpose(0, 1))
        return LateGradient.apply(gates, self.recurrent_gates.weight, seen)

    def step(
        self, state: ControllerState, evidence: Tensor, feedback: Tensor, late: bool = False
    ) -> ControllerState:
        """Advance one step.

        Args:
            state: the state of the step before.
            evidence: [B, 4 H], this step's row of ``evidence_gates`` of the whole sequence.
            feedback: [B, F], the last latent and reads.
            late: whether the row is one of ``known_gates``, which gives the recurrent weight its
                gradient.
        """
        inputs = torch.cat([state.hidden, feedback], 1)
        weight = self.recurrent_gates.weight
        weight = weight.detach() if late else weight
        return ControllerState(*lstm_step(evidence, inputs, weight, state.cell), inputs.detach())
