"""Folder of a run: <root>/<experiment>/<run>/."""

import json
import os
import unicodedata
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lightning_modules.records.durable_file import write_durably

CHECKPOINTS = "checkpoints"
#: Most bytes of a folder's name; file systems allow 255, and a number may be appended.
LONGEST_NAME = 245


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, and the paths of its files."""

    path: Path

    @classmethod
    def create(cls, root: Path, experiment: str, run: str, on_disk: bool = True) -> "RunFolder":
        """Create a new folder for a run; if the name exists, a number is appended.

        Args:
            root: folder of all experiments.
            experiment: name of the folder of related runs.
            run: preferred name.
            on_disk: create the folder; processes that never write need only its path.

        Raises:
            OSError: the folder cannot be created.
        """
        for attempt in count(1):
            folder = cls(root / experiment / (run if attempt == 1 else f"{run}-{attempt}"))
            if not on_disk:
                return folder
            try:
                # Creating it claims the name, even among runs that start at the same moment.
                folder.path.mkdir(parents=True)
                return folder
            except FileExistsError:
                continue
        raise AssertionError("unreachable")

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> "RunFolder | None":
        """Return the run of a checkpoint; None if it is not in a run's folder."""
        folder = checkpoint.parent
        if not folder.name:  # the current directory
            folder = folder.absolute()
        return cls(folder.parent) if folder.name == CHECKPOINTS else None

    @property
    def wandb_id(self) -> Path:
        """File with the run's W&B id."""
        return self.path / ".wandb_id"

    @property
    def experiment(self) -> str:
        """Name of the parent folder."""
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
        """Newest training state."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous_checkpoint(self) -> Path:
        """Training state before the newest."""
        return self.checkpoints / "previous.ckpt"

    @property
    def states(self) -> list[Path]:
        """Existing training states, the newest first."""
        return [p for p in (self.last_checkpoint, self.previous_checkpoint) if p.is_file()]

    @property
    def best_checkpoint(self) -> Path:
        """State with the best validation."""
        return self.checkpoints / "best.ckpt"

    @property
    def config(self) -> Path:
        """All settings, which ``--config`` can read."""
        return self.path / "config.yaml"

    @property
    def model(self) -> Path:
        """Declarations of the model: its core, look and measures."""
        return self.path / "model.json"

    @property
    def metrics(self) -> Path:
        """Everything that was logged, a row for each logged step."""
        return self.path / "metrics.csv"

    @property
    def results(self) -> Path:
        """Results of ``test``."""
        return self.path / "results.json"

    @property
    def film(self) -> Path:
        """Write and read weightings in the first test sequence."""
        return self.path / "memory_film.npz"

    @property
    def probe(self) -> Path:
        """Results of ``probe``."""
        return self.path / "probe.json"

    @property
    def probe_picture(self) -> Path:
        """Figure of the probe's results."""
        return self.path / "probe.png"

    @property
    def pictures(self) -> Path:
        """Folder of pictures from validations and tests."""
        return self.path / "pictures"

    @property
    def predictions(self) -> Path:
        """Predictions of ``predict``."""
        return self.path / "predictions.npz"


def shown(path: Path) -> str:
    """Return a path as the user would type it."""
    relative = os.path.relpath(path)
    return readable(str(path) if relative.startswith("..") else relative)


def readable(path: str) -> str:
    """Return a path as text that can be encoded.

    File names are bytes, usually UTF-8. Python decodes them with the locale's encoding, and keeps
    undecodable bytes as surrogates.
    """
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically: readers see the old file or the new one."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text atomically: readers see the old file or the new one."""
    write_durably(path, text.encode("utf-8", "backslashreplace"))


def unusable(name: str) -> str | None:
    """Return why a run or an experiment cannot have this name; None if it can."""
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
