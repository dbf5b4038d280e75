"""Guard against losses and gradients that are not finite, and records of such steps."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from lightning_modules.diagnosis import Diagnosis, diagnose
from lightning_modules.noise import Moment
from lightning_modules.records.bundle import MOST_BYTES, bundle_path, write_bundle
from lightning_modules.records.run_folder import shown
from lightning_modules.records.versions import versions
from lightning_modules.sequence_model import SequenceModel

OnDivergence = Literal["stop", "skip"]
#: Maximum number of consecutive skipped steps; more end the training.
MOST_SKIPPED = 100
#: A gradient scaler below this has met overflows in every step.
SMALLEST_SCALE = 2.0**-10


class Diverged(Exception):
    """The training has diverged; the message explains how."""


@dataclass
class Step:
    """The inputs of a step, from which it can be repeated."""

    batches: list[Any] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    buffers: list[Tensor] = field(default_factory=list)  #: before the step


class Late(NamedTuple):
    """The outcome of a step that the device may not have computed yet."""

    bad: Tensor  #: [], 1 if the step was skipped; on the host once ``known``
    known: torch.cuda.Event
    step: Step


class FlightRecorder(L.Callback):
    """Keeps steps that are not finite from the weights, and so from all checkpoints.

    Losses and gradients are checked before the optimiser's step. On a GPU a fused optimiser skips a
    bad step by itself, and the host learns of it one step later, so that it never waits; a
    checkpoint or a validation waits for the outcome. With a scaler (16-mixed) occasional overflows
    are normal and handled by the scaler: only the loss, or a collapsed scale, counts.

    The first bad step is diagnosed and written into the run's folder, for ``rerun``.

    Args:
        run: the run's folder.
        settings: the run's config.yaml.
        on_divergence: "stop" raises ``Diverged``; "skip" counts the step and continues with the
            next, but stops after ``MOST_SKIPPED`` in a row, or if the weights are not finite.
        program: the command that runs ``rerun``, for the message.
    """

    def __init__(
        self,
        run: Path,
        settings: str,
        on_divergence: OnDivergence = "stop",
        program: str = "python cli.py",
    ) -> None:
        self.run, self.settings, self.on_divergence = run, settings, on_divergence
        self.program = program
        #: Number of skipped steps: in total, and consecutively up to now.
        self.skipped, self._in_a_row = 0, 0
        self._step, self._ended = Step(), True
        self._late: Late | None = None
        #: The model's: traversing all modules in every step would cost half a millisecond.
        self._weights: list[Tensor] = []
        self._buffers: list[Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.skipped = state_dict["skipped"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Collect the weights and buffers to check."""
        self._weights, self._buffers = [*pl_module.parameters()], [*pl_module.buffers()]

    def on_train_batch_start(  # type: ignore[override]
        self, trainer: L.Trainer, pl_module: SequenceModel, batch: Any, batch_idx: int
    ) -> None:
        """Record the inputs of a step."""
        if self._ended:
            self._step = Step(buffers=[buffer.clone() for buffer in self._buffers])
            self._ended = False
        self._step.batches.append(batch)
        self._step.moments.append(pl_module.moment(batch_idx))

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Record the loss: gradients may be finite even if it is not."""
        self._step.losses.append(loss.detach().clone())

    def on_before_optimizer_step(  # type: ignore[override]
        self, trainer: L.Trainer, pl_module: SequenceModel, optimizer: torch.optim.Optimizer
    ) -> None:
        """Stop, or skip the step, if it is not finite."""
        self._settle(trainer, pl_module)
        self._ended, step = True, self._step
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        gradients = [] if scaler else [w.grad for w in self._weights if w.grad is not None]
        bad = agreed(not_finite([*step.losses, *gradients], pl_module.device), trainer)
        if self.on_divergence == "skip" and pl_module.reports:
            pl_module.log("train/skipped_steps", float(self.skipped))
        if scaler is None and reads_late(optimizer, bad):
            optimizer.found_inf = bad  # type: ignore[attr-defined]
            for buffer, before in zip(self._buffers, step.buffers, strict=True):
                buffer.copy_(torch.where(bad > 0, before, buffer))
            self._late = copied_late(bad, step)
            return
        collapsed = scaler is not None and scaler.get_scale() < SMALLEST_SCALE
        if not bad.item() and not collapsed:
            self._in_a_row = 0
            return
        # Without gradients an optimiser changes nothing, its state included.
        optimizer.zero_grad(set_to_none=True)
        for buffer, before in zip(self._buffers, step.buffers, strict=True):
            buffer.copy_(before)
        self._handle(trainer, pl_module, step, collapsed)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Do not validate a training that has diverged."""
        self._settle(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Process the outcome of the last step."""
        self._settle(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to save weights that are not finite, for whatever reason.

        Raises:
            Diverged: some weight is not finite.
        """
        self._settle(trainer, pl_module)
        if weights_are_bad(pl_module):
            raise Diverged(f"Diverged in step {trainer.global_step}: its weights are not finite")

    def _settle(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Process the outcome of the previous step, if that is pending."""
        late, self._late = self._late, None
        if late is None:
            return
        late.known.synchronize()
        if late.bad.item():
            self._handle(trainer, pl_module, late.step)
        else:
            self._in_a_row = 0

    def _handle(
        self, trainer: L.Trainer, pl_module: SequenceModel, step: Step, collapsed: bool = False
    ) -> None:
        """Count a skipped step, or end the training.

        Raises:
            Diverged: the training cannot, or must not, continue.
        """
        self.skipped += 1
        self._in_a_row += 1
        too_many = self._in_a_row > MOST_SKIPPED
        ends = self.on_divergence == "stop" or too_many or collapsed or weights_are_bad(pl_module)
        if not ends and self.skipped > 1:
            return
        message = self._recorded(trainer, pl_module, step)
        if collapsed:
            message += "\n  gradients overflow at every scale"
        if too_many:
            message += f"\n  {MOST_SKIPPED} steps in a row were skipped"
        if ends:
            raise Diverged(message)
        if trainer.is_global_zero:
            print(f"{message}\n  skipped, as later bad steps will be", flush=True)

    def _recorded(self, trainer: L.Trainer, pl_module: SequenceModel, step: Step) -> str:
        """Diagnose a step and write its bundle, from the first process that finds a cause."""
        context = trainer.precision_plugin.train_step_context
        diagnosis = diagnose(pl_module, step.batches, step.moments, context)
        writer = first_process(diagnosis.tensor is not None, pl_module.device, trainer)
        message = ""
        if writer == trainer.global_rank:
            lines = diagnosis.lines()
            if diagnosis.tensor is None:
                lines = [f"Diverged in step {diagnosis.step}, but not when repeated"]
            message = "\n".join([*lines, self._bundle(trainer, pl_module, step, diagnosis)])
        return trainer.strategy.broadcast(message, src=writer)

    def _bundle(
        self, trainer: L.Trainer, pl_module: SequenceModel, step: Step, diagnosis: Diagnosis
    ) -> str:
        """Write the step's inputs to a file, and return a line that names it."""
        path = bundle_path(self.run, diagnosis.step)
        content = {
            "settings": self.settings,
            "weights": on_host(pl_module.state_dict()),
            "optimizer": on_host(trainer.optimizers[0].state_dict()),
            "batches": [on_host(tuple(batch)) for batch in step.batches],
            "moments": [tuple(moment) for moment in step.moments],
            "losses": diagnosis.losses,
            "device": pl_module.device.type,
            "versions": versions(),
        }
        try:
            if write_bundle(path, content):
                return f"  repeat it: {self.program} rerun {shlex.quote(shown(path))}"
        except OSError as failure:
            return f"  cannot write the record of the step: {failure.strerror}"
        return f"  no record of the step: it would be larger than {MOST_BYTES // 10**6} MB"


def not_finite(tensors: Iterable[Tensor], device: torch.device) -> Tensor:
    """Return 1 if any number is not finite, else 0, as float32 [] on the device.

    It takes a single pass without intermediate results that could overflow, unlike a norm.
    """
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    bad, one = torch.zeros((), device=device), torch.ones((), device=device)
    with torch.no_grad():
        for group in groups.values():
            # What GradScaler uses; it multiplies by 1.
            torch._amp_foreach_non_finite_check_and_unscale_(group, bad, one)
    return bad


def weights_are_bad(model: L.LightningModule) -> bool:
    """Return whether any weight is not finite."""
    return bool(not_finite((weight.detach() for weight in model.parameters()), model.device).item())


def agreed(bad: Tensor, trainer: L.Trainer) -> Tensor:
    """Return 1 if ``bad`` is 1 in any process: only one may know of a loss that is not finite."""
    if trainer.world_size > 1:
        torch.distributed.all_reduce(bad, op=torch.distributed.ReduceOp.MAX)
    return bad


def first_process(found: bool, device: torch.device, trainer: L.Trainer) -> int:
    """Return the rank of the first process with ``found``, or 0."""
    if trainer.world_size == 1:
        return 0
    rank = torch.tensor(trainer.global_rank if found else trainer.world_size, device=device)
    torch.distributed.all_reduce(rank, op=torch.distributed.ReduceOp.MIN)
    return int(rank.item()) % trainer.world_size


def reads_late(optimizer: torch.optim.Optimizer, bad: Tensor) -> bool:
    """Return whether the optimiser can skip the step on the device, without the host."""
    fused = bool(optimizer.defaults.get("fused"))
    return bad.is_cuda and fused


def copied_late(bad: Tensor, step: Step) -> Late:
    """Copy an outcome to the host without waiting for it."""
    host = torch.empty_like(bad, device="cpu", pin_memory=True)
    host.copy_(bad, non_blocking=True)
    known = torch.cuda.Event()
    known.record()
    return Late(host, known, step)


def on_host(parts: Any) -> Any:
    """Copy tensors to the host, but not the storage that they are views of."""
    return tree_map_only(Tensor, lambda t: t.detach().to("cpu", copy=True), parts)
