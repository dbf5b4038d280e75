"""Diagnosis of a training step that was not finite: the step is repeated under observation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import isfinite, isnan
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from lightning_modules.noise import Moment
from lightning_modules.sequence_model import SequenceModel

#: Maximum number of sequences in a message.
MOST_NAMED = 8
#: Makes the context of a training step, such as autocast.
Context = Callable[[], AbstractContextManager[Any]]


@dataclass
class Diagnosis:
    """Findings of a repeated step; ``tensor`` is None if everything was finite."""

    step: int  #: as it is logged, from 1 on
    losses: list[float] = field(default_factory=list)  #: of the batches up to the first bad one
    tensor: str | None = None  #: the first that is not finite
    module: str | None = None  #: the first whose output, parameter or gradient is not finite
    sequences: list[int] = field(default_factory=list)  #: ids of those that cause it
    batch_size: int = 0
    outputs: dict[str, float] = field(default_factory=dict)  #: largest value, by module
    gradients: dict[str, float] = field(default_factory=dict)  #: largest of weights, by module

    def lines(self) -> list[str]:
        """Return a report of a few lines."""
        losses = ", ".join(f"{loss:g}" for loss in self.losses)
        if self.tensor is None:
            return [f"Step {self.step} is finite when it is repeated; loss {losses}"]
        lines = [
            f"Diverged in step {self.step}; loss {losses}",
            f"  first tensor that is not finite: {self.tensor}",
        ]
        if self.module is not None:
            lines.append(f"  first module: {self.module}")
        if self.sequences:
            named = ", ".join(map(str, self.sequences[:MOST_NAMED]))
            ellipsis = ", ..." if len(self.sequences) > MOST_NAMED else ""
            number = f"{len(self.sequences)} of {self.batch_size}"
            lines.append(f"  sequences: {named}{ellipsis} ({number} in the batch)")
        return lines


class Watch:
    """Largest absolute values by name, in order of first appearance."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        #: Name of the first tensor that was not finite.
        self.first: str | None = None

    def see(self, name: str, tensor: Tensor) -> None:
        """Record a tensor; NaN counts as larger than any number."""
        if not tensor.is_floating_point() or tensor.numel() == 0:
            return
        value, before = tensor.detach().abs().amax().item(), self.largest.get(name, 0.0)
        self.largest[name] = value if isnan(value) or value > before else before
        if self.first is None and not isfinite(value):
            self.first = name


class Repetition(NamedTuple):
    """A batch of a step that can be recomputed."""

    model: SequenceModel
    batch: Any
    moment: Moment
    context: Context

    def loss(self, batch: Any) -> Tensor:
        """Compute the loss of the batch, or of some of its sequences."""
        with self.model.repeating(self.moment), self.context():
            outcome: Any = self.model.training_step(batch, self.moment.batch)
        loss: Tensor = outcome["loss"] if isinstance(outcome, Mapping) else outcome
        return loss

    def forward(self) -> tuple[float, Watch]:
        """Return the loss, and the modules' outputs in the order of execution."""
        outputs = Watch()
        with torch.no_grad(), watching(self.model, outputs.see):
            return self.loss(self.batch).item(), outputs

    def backward(self) -> tuple[float, Watch, Watch]:
        """Return the loss, the gradients of outputs in order of computation, and of weights."""
        of_outputs, of_weights = Watch(), Watch()

        def see(name: str, gradient: Tensor | None) -> None:
            if gradient is not None:  # operators give None for outputs that no loss depends on
                of_outputs.see(name, gradient)

        def follow(name: str, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(partial(see, name))

        with watching(self.model, follow):
            loss = self.loss(self.batch)
        for name, gradient in self.gradients(loss):
            of_weights.see(name, gradient)
        return loss.item(), of_outputs, of_weights

    def gradients(self, loss: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the gradients of all parameters by name, without changing their ``grad``."""
        names, weights = zip(*self.model.named_parameters(), strict=True)
        for name, gradient in zip(
            names, torch.autograd.grad(loss, weights, allow_unused=True), strict=True
        ):
            if gradient is not None:
                yield name, gradient

    def bad_sequences(self, with_gradients: bool) -> list[int]:
        """Return the ids of sequences that are not finite on their own."""
        ids: list[int] = self.batch.episode.tolist()
        return [ids[i] for i in range(len(ids)) if not self.is_finite(i, with_gradients)]

    def is_finite(self, i: int, with_gradients: bool) -> bool:
        """Return whether the i-th sequence's loss and, if requested, its gradients are finite."""
        one = type(self.batch)(*(part[i : i + 1] for part in self.batch))
        with torch.set_grad_enabled(with_gradients):
            loss = self.loss(one)
        if not loss.isfinite():
            return False
        return not with_gradients or all(g.isfinite().all() for _, g in self.gradients(loss))


def diagnose(
    model: SequenceModel, batches: Sequence[Any], moments: Sequence[Moment], context: Context
) -> Diagnosis:
    """Repeat a step, and find the first tensor that is not finite.

    Forward passes run eagerly, even if training compiles them.

    Args:
        model: the model with the weights before the step; left unchanged.
        batches: the step's batches, several if gradients are accumulated.
        moments: the batches' moments.
        context: makes the context of a training step.
    """
    diagnosis = Diagnosis(moments[0].step + 1)
    compiles = bool(model.hparams.get("compile"))
    eager = torch.compiler.set_stance("force_eager") if compiles else nullcontext()
    with eager, unchanged_buffers(model):
        for batch, moment in zip(batches, moments, strict=True):
            examine(Repetition(model, batch, moment, context), diagnosis)
            if diagnosis.tensor is not None:
                break
    return diagnosis


def examine(repetition: Repetition, diagnosis: Diagnosis) -> None:
    """Check a batch, its loss and gradients, and record the first tensor that is not finite.

    Args:
        repetition: the repetition of the batch.
        diagnosis: where the findings are recorded.
    """
    model, batch = repetition.model, repetition.batch
    loss, outputs = repetition.forward()
    of_outputs, of_weights = Watch(), Watch()
    forward_is_finite = isfinite(loss) and outputs.first is None
    if forward_is_finite:
        loss, of_outputs, of_weights = repetition.backward()
    diagnosis.losses.append(loss)
    diagnosis.batch_size, diagnosis.outputs = len(batch.episode), outputs.largest
    diagnosis.gradients = by_module(of_weights.largest)
    weights, inputs = Watch(), Watch()
    for name, parameter in model.named_parameters():
        weights.see(name, parameter)
    for name, part in zip(batch._fields, batch, strict=True):
        inputs.see(name, part)
    # In causal order: each may cause the next.
    if inputs.first is not None:
        part = getattr(batch, inputs.first)
        bad = ~part.flatten(1).isfinite().all(1)
        diagnosis.tensor, diagnosis.module = f"batch.{inputs.first}", outputs.first
        diagnosis.sequences = batch.episode[bad.to(batch.episode.device)].tolist()
        return
    for kind, first, module in (
        ("parameter ", weights.first, owner(weights.first)),
        ("output of ", outputs.first, outputs.first),
        ("", None if isfinite(loss) else "the loss", None),
        ("gradient of the output of ", of_outputs.first, of_outputs.first),
        ("gradient of ", of_weights.first, owner(of_weights.first)),
    ):
        if first is not None:
            diagnosis.tensor, diagnosis.module = kind + first, module
            diagnosis.sequences = repetition.bad_sequences(forward_is_finite)
            return


def owner(parameter: str | None) -> str | None:
    """Return the module that a parameter belongs to."""
    return None if parameter is None else parameter.rpartition(".")[0] or None


def by_module(largest: Mapping[str, float]) -> dict[str, float]:
    """Return the largest value of each module's own parameters."""
    modules: dict[str, float] = {}
    for name, value in largest.items():
        module = owner(name) or name
        before = modules.get(module, 0.0)
        modules[module] = value if isnan(value) or value > before else before
    return modules


@contextmanager
def watching(model: SequenceModel, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call ``see`` on each module's output tensors by name, inner modules before outer ones."""

    def hook(name: str) -> Callable[..., None]:
        def observe(module: Any, inputs: Any, output: Any) -> None:
            for leaf in tree_leaves(output):
                if isinstance(leaf, Tensor):
                    see(name, leaf)

        return observe

    handles: list[RemovableHandle] = [
        module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def unchanged_buffers(model: SequenceModel) -> Iterator[None]:
    """Restore buffers that a forward pass changes, such as those of batch normalisation."""
    saved = [buffer.clone() for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, before in zip(model.buffers(), saved, strict=True):
            buffer.copy_(before)
