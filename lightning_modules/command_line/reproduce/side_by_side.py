"""Draws the first test sequence side by side for all models of a claim, from checkpoints."""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.figure import Figure

from lightning_modules.command_line.checkpoint_check import require_restorable
from lightning_modules.command_line.probe import Subject, checkpoint_of
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.drawings import Contestant
from lightning_modules.records.groups import Group
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.speed.preparation import prepare

#: Seed of the noise, the same for all models.
SEED = 0


def side_by_side(groups: Sequence[Group]) -> Iterator[tuple[str, Figure]]:
    """Draw the family's figures of several models, each from its first run on disk.

    A model with only kept records has no weights, so it is left out; fewer than two models yield no
    figure.

    Args:
        groups: one per model, all on one benchmark.
    """
    found = [(group, run) for group in groups if (run := _trained(group.runs)) is not None]
    if len(found) < 2:
        return
    prepare()
    models, data = [], None
    for group, run in found:
        subject = Subject([f"--config={RunFolder(run.folder).config}"])
        restore(subject, run)
        data = data or subject.datamodule
        models.append(Contestant(group.label, group.colour, subject.model))
    yield from models[0].model.drawings().side_by_side(models, data, SEED)


def restore(subject: Subject, run: Run) -> None:
    """Load a run's best weights, and prepare its data."""
    checkpoint = checkpoint_of(run.folder)
    weights: dict[str, Any] = require_restorable(checkpoint, subject.model)["state_dict"]
    subject.restore(weights)


def _trained(runs: Sequence[Run]) -> Run | None:
    """Return the first run with a checkpoint and settings."""
    for run in runs:
        try:
            if RunFolder(run.folder).config.is_file() and checkpoint_of(run.folder).is_file():
                return run
        except UsageError:
            continue
    return None
