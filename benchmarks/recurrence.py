"""What is timed of a core: the same work that a published DNC does.

A controller LSTM beside a memory is unrolled over T steps whose inputs are known beforehand, and
its outputs are mapped to the inputs' width:

    h_t = LSTM(h_{t-1}, [x_t; reads_{t-1}])
    memory_t = write x_t under h_t, with the key h_{t-1};   reads_t = read under h_t
    y_t = output map of [h_t; reads_t]

It is made of the models' own pieces, as ``Backbone.advance`` puts them together.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.controller import Controller, ControllerState
from memory_cores import Items, MemoryCore, MemorySizes
from sizes import Sizes


class RecurrentState(NamedTuple):
    """What one step hands to the next."""

    controller: ControllerState
    memory: NamedTuple
    reads: Tensor  #: [B, C]


class Recurrence(nn.Module):
    """A controller and a core.

    Args:
        core: builds the core.
        sizes: of everything.
    """

    def __init__(self, core: Callable[[MemorySizes], MemoryCore], sizes: Sizes) -> None:
        super().__init__()
        H, W = sizes.controller, sizes.word
        self.core = core(MemorySizes(control=H, key=H, value=W, steps=sizes.steps))
        self.controller = Controller(W, self.core.context_size, H)
        self.output = nn.Linear(H + self.core.context_size, W)
        #: One step; a compiled one takes its place.
        self.advance: Callable[..., RecurrentState] = self.step

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, T, W] to [B, T, W]."""
        evidence = self.controller.evidence_gates(inputs)
        state = self.initial_state(len(inputs), evidence)
        outputs = []
        for evidence_t, inputs_t in zip(evidence.unbind(1), inputs.unbind(1), strict=True):
            state = self.advance(state, evidence_t, inputs_t)
            outputs.append(torch.cat([state.controller.hidden, state.reads], 1))
        return self.output(torch.stack(outputs, 1))

    def initial_state(self, batch_size: int, like: Tensor) -> RecurrentState:
        """Before the first step."""
        return RecurrentState(
            self.controller.initial_state(batch_size, like),
            self.core.initial_state(batch_size, like),
            like.new_zeros(batch_size, self.core.context_size),
        )

    def step(self, state: RecurrentState, evidence: Tensor, inputs: Tensor) -> RecurrentState:
        """One step, with evidence [B, 4 H] of the inputs [B, W]."""
        controller = self.controller.step(state.controller, evidence, state.reads)
        present = torch.ones(len(inputs), 1, dtype=torch.bool, device=inputs.device)
        item = Items(state.controller.hidden.unsqueeze(1), inputs.unsqueeze(1), present)
        memory = self.core.write(state.memory, controller.hidden, item)
        reads, memory = self.core.read(memory, controller.hidden)
        return RecurrentState(controller, memory, reads)
