"""Writes all checkpoints of a trainer, including those of a user's ``ModelCheckpoint``."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from lightning_modules.records.checkpoint_file import FORMAT, checksum_holds, sealed
from lightning_modules.records.durable_file import write_durably
from lightning_modules.records.run_folder import shown


class UnsavedState(Exception):
    """The final state of a training could not be saved."""


class CheckpointFiles(TorchCheckpointIO):
    """Writes beside the destination first, with a checksum; failures do not stop training.

    Lightning itself writes through the temporary folder. Remote addresses, such as ``s3://``, are
    left to it.
    """

    def __init__(self) -> None:
        #: Why the last file could not be written.
        self.failed: OSError | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a file, or print why it could not be written."""
        if is_remote(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()
        torch.save({**checkpoint, "format": FORMAT}, content)
        try:
            write_durably(Path(path), sealed(content.getbuffer()))
        except OSError as failure:
            self.failed = failure
            print(
                f"cannot write {shown(Path(path))}: {failure.strerror}; earlier checkpoints are "
                "kept",
                flush=True,
            )
        else:
            self.failed = None

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, loc: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a file.

        Raises:
            ValueError: the file is damaged.
        """
        if not is_remote(path) and checksum_holds(Path(path)) is False:
            raise ValueError(f"{shown(Path(path))} is damaged: its checksum differs")
        return super().load_checkpoint(path, map_location, weights_only)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a file, unless its replacement could not be written."""
        if not self.failed:
            super().remove_checkpoint(path)


def is_remote(path: str | Path) -> bool:
    """Return whether a path is a remote address."""
    return "://" in str(path)
