"""What a run says before it starts: its data and its size."""

import shlex
import sys
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from lightning_modules.records.versions import revision


class Announcement(L.Callback):
    """Names the data that is really used and counts parameters, on screen and for the loggers.

    Args:
        seed: of the command.
    """

    def __init__(self, seed: int | bool) -> None:
        self.seed = seed

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Say it; the data module has been set up by now."""
        record, parameters = data_record(trainer), count_parameters(pl_module)
        if trainer.is_global_zero:
            print(f"Data: {data_sentence(record, data_settings(trainer))}")
            print(f"Model: {type(pl_module).__name__}, {parameters:,} parameters", flush=True)
        family, core = type(pl_module).__name__, core_name(pl_module)
        facts: dict[str, Any] = {
            "model": f"{family} {core}",
            "family": family,
            "core": core,
            "benchmark": type(getattr(trainer, "datamodule", None)).__name__,
            "data": {**data_settings(trainer), **record},
            "parameters": parameters,
        }
        if trainer.state.fn == TrainerFn.FITTING:  # a test goes on in the W&B run of its training
            facts |= {
                "seed": self.seed,
                "revision": revision(),
                "command": shlex.join(sys.argv),
            }
        for logger in trainer.loggers:
            logger.log_hyperparams(facts)


def data_sentence(record: dict[str, str], settings: dict[str, Any]) -> str:
    """What data is used; a source that was chosen automatically has been named with its reason."""
    named = {"source"} if settings.get("source") == "auto" else set()
    return ", ".join(f"{name} {value[:12]}" for name, value in record.items() if name not in named)


def data_settings(trainer: L.Trainer) -> dict[str, Any]:
    """The data module's settings, without those of Lightning's own."""
    settings = getattr(getattr(trainer, "datamodule", None), "hparams", {})
    return {name: value for name, value in settings.items() if not name.startswith("_")}


def data_record(trainer: L.Trainer) -> dict[str, str]:
    """What data is really used, in the words of the data module."""
    record = getattr(getattr(trainer, "datamodule", None), "data_record", None)
    return record() if record else {}


def core_name(model: Any) -> str:
    """Class of a ``SequenceModel``'s memory core."""
    return type(model.core).__name__


def count_parameters(module: nn.Module) -> int:
    """Trained numbers."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
