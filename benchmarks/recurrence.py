"""The workload that is timed for a core, the same as a published DNC's.

A controller LSTM with a memory is unrolled over T steps whose inputs are known beforehand, and
its outputs are mapped to the inputs' width:

    h_t = LSTM(h_{t-1}, [x_t; reads_{t-1}])
    memory_t = write x_t under h_t, with the key h_{t-1};   reads_t = read under h_t
    y_t = output map of [h_t; reads_t]

It uses the models' own parts, combined as in ``Backbone.advance``.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.speed.compiled_steps import CompiledSteps, span_sizes
from lightning_modules.speed.cuda_graphs import CapturedGraphs
from lightning_modules.temporal_vaes.controller import Controller, ControllerState
from memory_cores import Items, MemoryCore, MemorySizes
from sizes import Sizes


class RecurrentState(NamedTuple):
    """State that one step passes to the next."""

    controller: ControllerState
    memory: NamedTuple
    reads: Tensor  #: [B, C]


class Outcome(NamedTuple):
    """Results of S steps."""

    hidden: Tensor  #: [S, B, H], the controller's state
    reads: Tensor  #: [S, B, C]
    seen: Tensor  #: [S, B, H + C], by the controller's recurrent gates


class Recurrence(nn.Module):
    """A controller and a core.

    Args:
        core: builds the core.
        sizes: of controller and core.
    """

    def __init__(self, core: Callable[[MemorySizes], MemoryCore], sizes: Sizes) -> None:
        super().__init__()
        H, W = sizes.controller, sizes.word
        self.core = core(MemorySizes(control=H, key=H, value=W, steps=sizes.steps))
        self.controller = Controller(W, self.core.context_size, H)
        self.output = nn.Linear(H + self.core.context_size, W)
        #: Both are set by ``compilation.compiled``.
        self.compiled_steps: CompiledSteps | None = None
        self.cuda_graphs: CapturedGraphs | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, T, W] to [B, T, W]."""
        return (
            self.cuda_graphs(inputs) if self.cuda_graphs and inputs.is_cuda else self.unroll(inputs)
        )

    def unroll(self, inputs: Tensor) -> Tensor:
        """Run step by step, or chunk by chunk if compiled."""
        seen: list[Tensor] = []
        gates = self.controller.known_gates(inputs, seen)
        compiled = None if inputs.is_cuda else self.compiled_steps
        size = compiled.size_with(self.core) if compiled else None
        sizes = span_sizes(len(gates), size)
        state, outcomes = self.initial_state(len(inputs), gates), []
        spans = (part.split(sizes) for part in (gates, inputs.transpose(0, 1)))
        for evidence, rows in zip(*spans, strict=True):
            run = compiled if compiled and len(evidence) == size else Recurrence.steps
            state, outcome = run(self, state, evidence, rows)
            outcomes.append(outcome)
        hidden, reads, last = (torch.cat(parts) for parts in zip(*outcomes, strict=True))
        seen.append(last)
        return self.output(torch.cat([hidden, reads], 2)).transpose(0, 1)

    def initial_state(self, batch_size: int, like: Tensor) -> RecurrentState:
        """Return the state before the first step."""
        return RecurrentState(
            self.controller.initial_state(batch_size, like),
            self.core.initial_state(batch_size, like),
            like.new_zeros(batch_size, self.core.context_size),
        )

    def steps(
        self, state: RecurrentState, evidence: Tensor, inputs: Tensor
    ) -> tuple[RecurrentState, Outcome]:
        """Run S steps, with evidence [S, B, 4 H] of the inputs [S, B, W]."""
        outcomes = []
        for step in zip(evidence.unbind(), inputs.unbind(), strict=True):
            state = self.step(state, *step)
            outcomes.append((state.controller.hidden, state.reads, state.controller.gate_inputs))
        return state, Outcome(*(torch.stack(parts) for parts in zip(*outcomes, strict=True)))

    def step(self, state: RecurrentState, evidence: Tensor, inputs: Tensor) -> RecurrentState:
        """Run one step, with evidence [B, 4 H] of the inputs [B, W]."""
        controller = self.controller.step(state.controller, evidence, state.reads, late=True)
        present = torch.ones(len(inputs), 1, dtype=torch.bool, device=inputs.device)
        item = Items(state.controller.hidden.unsqueeze(1), inputs.unsqueeze(1), present)
        reads, memory, _ = self.core.write_and_read(state.memory, controller.hidden, item)
        return RecurrentState(controller, memory, reads)
