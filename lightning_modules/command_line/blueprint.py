"""Builds an experiment's model on the meta device: no weights, no data, no delay."""

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
        """Parse; without Lightning's warning about the process's own arguments."""
        self.config = parser.parse_args(options_in_order(args))

    def _set_seed(self) -> None:
        """Leave the random state alone: nothing is sampled."""

    def instantiate_classes(self) -> None:
        """Build on the meta device, where nothing is allocated."""
        with torch.device("meta"):
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Build no trainer; no command needs one here."""


def blueprint(experiment: str, overlays: list[str], settings: list[str]) -> Blueprint:
    """Build an experiment's model as ``fit`` would.

    Args:
        experiment: path of its file.
        overlays: files merged over it, in order.
        settings: options that override all files, each ``--key=value``.

    Raises:
        UsageError: a file or a setting is invalid.
    """
    files = [f"--config={file}" for file in (experiment, *overlays)]
    try:
        return Blueprint([*files, *settings], run=False)
    except UsageError as mistake:
        raise UsageError(f"{experiment}: {mistake}") from mistake
