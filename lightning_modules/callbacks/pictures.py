"""Draws pictures of a model after each validation and test."""

import gc
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.animation import Animation
from matplotlib.figure import Figure

from datamodules.sources import Split
from lightning_modules.drawings import Evaluated
from lightning_modules.names import in_words, model_label
from lightning_modules.records.durable_file import write_durably
from lightning_modules.records.film_file import Film, save_film
from lightning_modules.records.picture_file import save_picture
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.sequence_model import SequenceModel
from memory_cores.parts.checks import require_positive


class Pictures(L.Callback):
    """Saves pictures of a fixed set's first sequences and passes them to loggers that take images.

    The model's family defines them in its ``pictures.py``. Each is saved as
    ``<folder>/pictures/<name>_step<step>.png`` and, as the latest, as ``<name>.png``. Outside
    ``fit`` it is saved as ``<name>_validate.png``, since Lightning then counts steps from 0 even
    for a model from a checkpoint. Tests leave ``<name>_test.png`` of the test set and, if the model
    has a film of its memory, ``<folder>/memory_film.npz``, which ``compare`` shows with a slider.

    The noise is the same at every validation, so that pictures are comparable; training is not
    affected.

    Args:
        folder: the run's folder.
        sequences: number of sequences in pictures that show several.
        seed: the seed of the noise.

    Raises:
        ValueError: the number of sequences is not positive.
    """

    def __init__(self, folder: str | Path, sequences: int = 3, seed: int = 0) -> None:
        require_positive(sequences=sequences)
        self.folder = Path(folder) / "pictures"
        self.sequences, self.seed = sequences, seed

    # Any: the model is a SequenceModel, but Lightning's signature says LightningModule.
    def on_validation_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Draw the validation set, in one process only."""
        if trainer.sanity_checking or not draws(trainer):
            return
        step = trainer.global_step if trainer.state.fn == TrainerFn.FITTING else None
        for name, figure in self._figures(data_of(trainer), pl_module, "val", step):
            path = self._save(f"{name}_{moment_of(step)}", figure)
            write_durably(self.folder / f"{name}{path.suffix}", path.read_bytes())
            hand_out(trainer, name, path)
        # Figures are reference cycles, which hold a hundred megabytes until they are collected.
        gc.collect()

    def on_test_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Draw the test set, by whose first sequences runs are compared."""
        if not draws(trainer):
            return
        data = data_of(trainer)
        for name, figure in self._figures(data, pl_module, "test", None):
            self._save(f"{name}_test", figure)
        film = pl_module.drawings().film(pl_module, data, self.seed)
        if film is not None:
            save_film(Film(**film), RunFolder(self.folder.parent).film)

    def _figures(
        self, data: Any, model: SequenceModel, split: Split, step: int | None
    ) -> Iterator[tuple[str, Figure | Animation]]:
        """Yield the names and figures of the family's pictures of a set."""
        shown = evaluated(data, model, split, step)
        yield from model.drawings().figures(model, data, shown, self.sequences, self.seed)

    def _save(self, name: str, drawing: Figure | Animation) -> Path:
        ending = "png" if isinstance(drawing, Figure) else "webp"
        path = self.folder / f"{name}.{ending}"
        save_picture(drawing, path)
        return path


def evaluated(data: Any, model: SequenceModel, split: Split, step: int | None) -> Evaluated:
    """Return the headings, colour and results that all pictures of a model share.

    Args:
        data: the data module that the model is measured on, set up.
        model: the model, with the summary of its last validation or test.
        split: "val" or "test".
        step: training steps so far; None if unknown.
    """
    summary = model.test_summary if split == "test" else model.validation_summary
    source = data.data_record()["source"]
    return Evaluated(title_of(data, model, step), source, model.look.colour, split, summary)


def title_of(data: L.LightningDataModule, model: SequenceModel, step: int | None) -> str:
    """Name benchmark and model: "Perfect recall: GTMM (DNC) after 500 training steps".

    The core is named if it is a choice.
    """
    has_choice = "memory" in inspect.signature(type(model)).parameters
    core = type(model.core).__name__ if has_choice else None
    moment = "" if step is None else f" after {step:,} training steps"
    return f"{in_words(type(data).__name__)}: {model_label(type(model).__name__, core)}{moment}"


# Lightning sets ``datamodule`` and ``fast_dev_run`` without declaring them.
def draws(trainer: L.Trainer) -> bool:
    """Return whether this process draws; without a data module there is no fixed set."""
    drawing = trainer.is_global_zero and data_of(trainer) is not None
    return drawing and not getattr(trainer, "fast_dev_run", False)


def data_of(trainer: L.Trainer) -> Any:
    """Return the data module, or None."""
    return getattr(trainer, "datamodule", None)


def moment_of(step: int | None) -> str:
    """Name a validation, so that its files do not overwrite another's."""
    return "validate" if step is None else f"step{step:06d}"


def hand_out(trainer: L.Trainer, name: str, path: Path) -> None:
    """Pass a picture to the loggers that take images, such as W&B's."""
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(f"pictures/{name}", [str(path)], step=trainer.global_step)
