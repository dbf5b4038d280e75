"""Folder in which a run keeps everything: <root>/<experiment>/<run>/."""

import json
import os
import unicodedata
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lightning_modules.records.durable_file import write_durably

CHECKPOINTS = "checkpoints"
#: Bytes of a folder's name; most file systems take 255, and a number may be appended.
LONGEST_NAME = 245


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run and the names of what is in it."""

    path: Path

    @classmethod
    def create(cls, root: Path, experiment: str, run: str, on_disk: bool = True) -> "RunFolder":
        """Take a folder of its own for a new run; a name that is taken gets a number.

        Args:
            root: the folder of all experiments.
            experiment: the name of a folder of runs that belong together.
            run: the wanted name.
            on_disk: make the folder; processes that never write need only a name.

        Raises:
            OSError: the folder cannot be made.
        """
        for attempt in count(1):
            folder = cls(root / experiment / (run if attempt == 1 else f"{run}-{attempt}"))
            if not on_disk:
                return folder
            try:
                # Making it claims the name, also among runs that start at the same moment.
                folder.path.mkdir(parents=True)
                return folder
            except FileExistsError:
                continue
        raise AssertionError("unreachable")

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> "RunFolder | None":
        """Return the run that a checkpoint belongs to, None if it is in no run's folder."""
        folder = checkpoint.parent
        if not folder.name:  # the folder in which the command was typed
            folder = folder.absolute()
        return cls(folder.parent) if folder.name == CHECKPOINTS else None

    @property
    def wandb_id(self) -> Path:
        """File with the id by which W&B knows the run."""
        return self.path / ".wandb_id"

    @property
    def experiment(self) -> str:
        """Name of the folder above."""
        return self.path.absolute().parent.name

    @property
    def run(self) -> str:
        """Name of the folder itself."""
        return self.path.absolute().name

    @property
    def checkpoints(self) -> Path:
        """Folder of ``last.ckpt``, ``previous.ckpt`` and ``best.ckpt``."""
        return self.path / CHECKPOINTS

    @property
    def last_checkpoint(self) -> Path:
        """Newest state of training."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous_checkpoint(self) -> Path:
        """State of training that was the newest before."""
        return self.checkpoints / "previous.ckpt"

    @property
    def states(self) -> list[Path]:
        """The states of training that there are, the newest first."""
        return [p for p in (self.last_checkpoint, self.previous_checkpoint) if p.is_file()]

    @property
    def best_checkpoint(self) -> Path:
        """State that validated best."""
        return self.checkpoints / "best.ckpt"

    @property
    def config(self) -> Path:
        """All settings; ``--config`` reads them again."""
        return self.path / "config.yaml"

    @property
    def model(self) -> Path:
        """Declarations of the model: its core, its look, its measures."""
        return self.path / "model.json"

    @property
    def metrics(self) -> Path:
        """All that was logged, a row for each logged step."""
        return self.path / "metrics.csv"

    @property
    def results(self) -> Path:
        """Results of ``test``."""
        return self.path / "results.json"

    @property
    def film(self) -> Path:
        """Weightings with which the memory was written and read in the first test sequence."""
        return self.path / "memory_film.npz"

    @property
    def probe(self) -> Path:
        """Results of ``probe``."""
        return self.path / "probe.json"

    @property
    def probe_picture(self) -> Path:
        """The same as a picture."""
        return self.path / "probe.png"

    @property
    def pictures(self) -> Path:
        """Folder of the pictures of validations and tests."""
        return self.path / "pictures"

    @property
    def predictions(self) -> Path:
        """Predictions of ``predict``."""
        return self.path / "predictions.npz"


def shown(path: Path) -> str:
    """Write a path as the user would type it."""
    relative = os.path.relpath(path)
    return readable(str(path) if relative.startswith("..") else relative)


def readable(path: str) -> str:
    """Return a path as text that can be encoded: file names are bytes, as a rule UTF-8.

    Python decodes them by the locale's encoding, and keeps what is foreign to it as surrogates.
    """
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write so that a reader sees the old file or the new one, never half of one."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write so that a reader sees the old file or the new one, never half of one."""
    write_durably(path, text.encode("utf-8", "backslashreplace"))


def unusable(name: str) -> str | None:
    """Say why a folder of a run or an experiment cannot have this name; None if it can."""
    if not name.strip():
        return "is empty"
    if name[0] == ".":
        return "begins with a dot, and such folders are skipped"
    if any(separator in name for separator in "/\\"):
        return "would be in another folder: it contains a / or \\"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "contains bytes that are not text, or control characters"
    length = len(os.fsencode(name))
    if length > LONGEST_NAME:
        return f"has {length} bytes; file systems allow {LONGEST_NAME}"
    return None
