"""Runs that print and save nothing but what their callbacks do, and the pictures they left."""

from pathlib import Path
from typing import Any

import lightning as L


def trainer(folder: Path, *callbacks: L.Callback, **settings: Any) -> L.Trainer:
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return L.Trainer(
        **{**quiet, "accelerator": "cpu", "max_epochs": 1, **settings},
        default_root_dir=folder,
        callbacks=list(callbacks),
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("pictures/*")}
