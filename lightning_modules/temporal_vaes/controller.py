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

    hidden: Tensor  #: [B, H], h_t
    cell: Tensor  #: [B, H]
    gate_inputs: Tensor  #: [B, H + F], inputs of the recurrent gates, detached


class Controller(nn.Module):
    """LSTM on [evidence_t; h_{t-1}; feedback_t]; only its recurrent part runs in the loop.

    ``evidence`` (actions, encoded frames) is known for all steps at once; ``feedback`` (the last
    latent and reads) is not. Biases start at zero, the forget gate's at one.
    """

    def __init__(self, evidence_size: int, feedback_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        with warnings.catch_warnings():
            # The evidence may have width 0: only the bias is left.
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            self.evidence_gates = nn.Linear(evidence_size, 4 * hidden_size)
        self.recurrent_gates = nn.Linear(hidden_size + feedback_size, 4 * hidden_size, bias=False)
        start_remembering(self.evidence_gates.bias)

    def start_clock(self, periods: Sequence[float]) -> None:
        """Initialise the first units as a clock whose hands have these periods, in steps."""
        evidence = self.evidence_gates
        start_clock(self.recurrent_gates.weight, evidence.weight, evidence.bias, periods)

    def initial_state(self, batch_size: int, like: Tensor) -> ControllerState:
        """Return zeros on the device and in the dtype of ``like``."""
        zeros = like.new_zeros(batch_size, self.hidden_size)
        return ControllerState(
            zeros, zeros, like.new_zeros(batch_size, self.recurrent_gates.in_features)
        )

    def known_gates(self, evidence: Tensor, gate_inputs: list[Tensor]) -> Tensor:
        """Map the evidence of all steps [B, T, E] to gates [T, B, 4 H], for ``late`` steps.

        Args:
            evidence: [B, T, E].
            gate_inputs: a list to which the loop must append the states' ``gate_inputs``,
                [S, B, H + F] for S steps at a time.
        """
        gates = self.evidence_gates(evidence.transpose(0, 1))
        return LateGradient.apply(gates, self.recurrent_gates.weight, gate_inputs)

    def step(
        self, state: ControllerState, evidence: Tensor, feedback: Tensor, late: bool = False
    ) -> ControllerState:
        """Advance one step.

        Args:
            state: the previous step's state.
            evidence: [B, 4 H], this step's row of ``evidence_gates`` of the whole sequence.
            feedback: [B, F], the last latent and reads.
            late: whether the row is one of ``known_gates``, through which the recurrent weight then
                gets its gradient.
        """
        inputs = torch.cat([state.hidden, feedback], 1)
        weight = self.recurrent_gates.weight
        weight = weight.detach() if late else weight
        return ControllerState(*lstm_step(evidence, inputs, weight, state.cell), inputs.detach())
