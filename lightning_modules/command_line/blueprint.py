"""An experiment's model without numbers: what it would be, in no time and without data."""

from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser

from lightning_modules.command_line.experiment_parser import ExperimentParser
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.command_line.word_order import options_in_order
from lightning_modules.sequence_model import SequenceModel


class Blueprint(ExperimentParser):
    """Builds an experiment's model on the meta device; no data are read, and no folder is made."""

    model: SequenceModel

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; Lightning would warn that the process has arguments of its own."""
        self.config = parser.parse_args(options_in_order(args))

    def _set_seed(self) -> None:
        """Leave random numbers alone: nothing is drawn."""

    def instantiate_classes(self) -> None:
        """Build where nothing is allocated."""
        with torch.device("meta"):
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Build none; no command needs it."""


def blueprint(experiment: str, overlays: list[str], settings: list[str]) -> Blueprint:
    """Build an experiment's model as ``fit`` would.

    Args:
        experiment: its file.
        overlays: files that are laid over it, in their order.
        settings: options that are laid over all files, each ``--key=value``.

    Raises:
        UsageError: something is wrong with a file or a setting.
    """
    files = [f"--config={file}" for file in (experiment, *overlays)]
    try:
        return Blueprint([*files, *settings], run=False)
    except UsageError as mistake:
        raise UsageError(f"{experiment}: {mistake}") from mistake
