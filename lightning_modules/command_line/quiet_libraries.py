"""Silences messages of libraries that are of no use to users."""

import logging
import os
import warnings

#: Warnings about intended behaviour, or that only concern Lightning itself.
HARMLESS = (
    ".*does not have many workers.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*smaller than the logging interval.*",
    # They are resumable: the data module stores where training stopped.
    ".*your dataloader is not resumable.*",
    "Checkpoint directory .* exists and is not empty.*",
)


def quiet_libraries() -> None:
    """Silence harmless warnings, Lightning's advertisement and W&B; call it before a command."""
    os.environ.setdefault("WANDB_SILENT", "true")
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "Tip: For seamless cloud" not in record.getMessage()
    )
