"""Trains a model without a trainer, to measure batches and steps separately."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from datamodules.points.batch import FunctionSequences
from lightning_modules import ASNP
from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.experiment_parser import ExperimentParser
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.speed.preparation import prepare
from machine import ROOT
from memory_cores import RMR

#: Names of the model parts that are encoders and decoders.
NETWORKS = ("visual", "encoders", "decoder")


class Experiment(Blueprint):
    """An experiment's model with weights, and its data."""

    def instantiate_classes(self) -> None:
        """Build model and data as ``fit`` would."""
        torch.manual_seed(0)
        ExperimentParser.instantiate_classes(self)


class Trainee:
    """A model with its batches.

    Args:
        model: the model to train.
        batches: an endless iterator of batches.
    """

    def __init__(self, model: SequenceModel, batches: Iterator[Any]) -> None:
        self.model, self.batches = model, batches
        # Logging needs a trainer.
        for name in ("log", "log_dict"):
            object.__setattr__(model, name, lambda *args, **kwargs: None)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=model.learning_rate, fused=True)
        #: Fixed, since batches differ in size, and a step is compared with its own products.
        self.batch = self.fetch()

    def fetch(self) -> Any:
        """Return the next batch."""
        return next(self.batches)

    def step(self, bf16: bool = False) -> None:
        """Train on the first batch; ``bf16`` uses autocast, with the loss in float32."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss: Any = self.model.training_step(self.batch, 0)
        loss.backward()
        self.optimizer.step()

    def networks(self) -> list[nn.Module]:
        """Return the encoders and decoders."""
        parts = self.model.parts()
        return [module for name in NETWORKS for module in parts.get(name, [])]


def trainee_of(experiment: str, settings: list[str]) -> Trainee:
    """Build an experiment of conf/."""
    parsed = Experiment([f"--config={ROOT}/conf/{experiment}.yaml", *settings], run=False)
    parsed.datamodule.setup("fit")
    prepare()
    return Trainee(parsed.model, without_end(parsed.datamodule.train_dataloader()))


def without_end(loader: Any) -> Iterator[Any]:
    """Yield batches of one epoch after another."""
    while True:
        yield from loader


def rmr_trainee(context: int, targets: int, steps: int = 50, batch: int = 16) -> Trainee:
    """Build an ASNP-RMR with K = 25 and h = 128 on one batch of random sets."""
    torch.manual_seed(0)
    model = ASNP(
        memory=partial(RMR, slots=25),
        sequence_length=steps,
        test_length=steps,
        x_size=1,
        x_range=4.0,
        y_size=1,
        hidden_size=128,
        pool_memory=True,
    )
    return Trainee(model, without_end([random_batch(batch, steps, context, targets)]))


def random_batch(batch: int, steps: int, context: int, targets: int) -> FunctionSequences:
    """Draw sets without padding."""
    sizes = context, targets
    (context_x, target_x), (context_y, target_y) = (
        [torch.randn(batch, steps, size, 1) for size in sizes] for _ in range(2)
    )
    context_mask, target_mask = (torch.ones(batch, steps, size, dtype=torch.bool) for size in sizes)
    task = torch.zeros(batch, steps, 0)
    return FunctionSequences(
        context_x,
        context_y,
        context_mask,
        target_x,
        target_y,
        target_mask,
        torch.zeros_like(target_mask),
        task,
        torch.arange(batch),
    )
