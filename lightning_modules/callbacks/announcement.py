"""Announcement of a run before it starts: its data and its size."""

import shlex
import sys
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from lightning_modules.records.versions import revision


class Announcement(L.Callback):
    """Names the data that is actually used and counts parameters, on screen and for the loggers.

    Args:
        seed: the command's seed.
    """

    def __init__(self, seed: int | bool) -> None:
        self.seed = seed

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Announce the run; the data module has been set up by now."""
        record = data_record(trainer)
        if trainer.is_global_zero:
            print(f"Data: {data_sentence(record, data_settings(trainer))}")
            print(f"Model: {model_name(pl_module)}, {size_sentence(pl_module)}", flush=True)
        family, core = type(pl_module).__name__, core_name(pl_module)
        facts: dict[str, Any] = {
            "model": f"{family} {core}",
            "family": family,
            "core": core,
            "benchmark": type(getattr(trainer, "datamodule", None)).__name__,
            "data": {**data_settings(trainer), **record},
            "parameters": count_parameters(pl_module),
            "state_size": pl_module.state_size,
        }
        if trainer.state.fn == TrainerFn.FITTING:  # a test continues the W&B run of its training
            facts |= {
                "seed": self.seed,
                "revision": revision(),
                "command": shlex.join(sys.argv),
            }
        for logger in trainer.loggers:
            logger.log_hyperparams(facts)


def data_sentence(record: dict[str, str], settings: dict[str, Any]) -> str:
    """Describe the data; a source that was chosen automatically has already been announced.

    Hashes are shortened to their first digits.
    """
    announced = {"source"} if settings.get("source") == "auto" else set()
    shown = {k: v[:12] if k.endswith("sha256") else v for k, v in record.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items() if name not in announced)


def model_name(model: Any) -> str:
    """Name a ``SequenceModel``, and its memory core if that is a choice."""
    family = type(model).__name__
    return family if "memory" in model.decided else f"{family} with {core_name(model)}"


def size_sentence(model: Any) -> str:
    """Describe a ``SequenceModel``'s number of parameters, its state and its budgets."""
    budgets, state = model.budgets, model.state_size
    carried = "a state that grows" if state is None else f"a state of {state:,} numbers"
    parameters = f"{count_parameters(model):,} parameters{_out_of(budgets.parameters)}"
    return f"{parameters}, {carried}{_out_of(budgets.state)}"


def _out_of(budget: int | None) -> str:
    return "" if budget is None else f" (budget {budget:,})"


def data_settings(trainer: L.Trainer) -> dict[str, Any]:
    """Return the data module's settings, without those that Lightning adds."""
    settings = getattr(getattr(trainer, "datamodule", None), "hparams", {})
    return {name: value for name, value in settings.items() if not name.startswith("_")}


def data_record(trainer: L.Trainer) -> dict[str, str]:
    """Return the data module's record of the data that is actually used."""
    record = getattr(getattr(trainer, "datamodule", None), "data_record", None)
    return record() if record else {}


def core_name(model: Any) -> str:
    """Return the class name of a ``SequenceModel``'s memory core."""
    return type(model.core).__name__


def count_parameters(module: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
