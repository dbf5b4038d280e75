"""Draws what a model remembers after each validation and test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.figure import Figure

from datamodules.frames.benchmark import SequenceDataModule
from datamodules.points.benchmark import FunctionDataModule
from datamodules.sources import Split
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.pictures import function_pictures
from lightning_modules.pictures.evaluated import evaluated
from lightning_modules.pictures.style import save
from lightning_modules.records.film_file import save_film
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.temporal_vaes.pictures import film_of_test, frame_pictures
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores.parts.checks import require_positive


class Pictures(L.Callback):
    """Saves pictures of a fixed set's first sequences and hands them to loggers with images.

    Benchmarks of frames have ``kl_curve``, ``memory_film`` (if the core has slots) and
    ``generations``, mazes also ``visit_overlay``; benchmarks of functions have ``nll_curve``,
    ``functions`` or ``completion``, and ``imaginary_keys`` (if the core has some). Each goes to
    ``<folder>/pictures/<name>_step<step>.png`` and, as the latest, to ``<name>.png``. Outside
    ``fit`` it goes to ``<name>_validate.png``, since there Lightning counts steps from 0 even for a
    model from a checkpoint. Tests leave ``<name>_test.png`` of the test set, and those of frames
    ``<folder>/memory_film.npz`` (if the core has slots), from which ``compare`` makes a film.

    The noise is the same at every validation, so that pictures compare; training is not disturbed.

    Args:
        folder: of the run.
        sequences: how many are in ``generations``.
        seed: of the noise.

    Raises:
        ValueError: there are no sequences to draw.
    """

    def __init__(self, folder: str | Path, sequences: int = 3, seed: int = 0) -> None:
        require_positive(sequences=sequences)
        self.folder = Path(folder) / "pictures"
        self.sequences, self.seed = sequences, seed

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the validation set, in one process only."""
        if trainer.sanity_checking or not draws(trainer):
            return
        step = trainer.global_step if trainer.state.fn == TrainerFn.FITTING else None
        for name, figure in self._figures(data_of(trainer), pl_module, "val", step):
            path = self._save(f"{name}_{moment_of(step)}", figure)
            shutil.copyfile(path, self.folder / f"{name}.png")
            hand_out(trainer, name, path)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the test set, whose first sequences are what runs are compared by."""
        if not draws(trainer):
            return
        data = data_of(trainer)
        for name, figure in self._figures(data, pl_module, "test", None):
            self._save(f"{name}_test", figure)
        if isinstance(data, SequenceDataModule) and isinstance(pl_module, TemporalVAE):
            film = film_of_test(data, pl_module, self.seed)
            if film is not None:
                save_film(film, RunFolder(self.folder.parent).film)

    def _figures(
        self, data: object, model: L.LightningModule, split: Split, step: int | None
    ) -> Iterator[tuple[str, Figure]]:
        """Of the family, by name; none of a family that is not known."""
        if isinstance(data, SequenceDataModule) and isinstance(model, TemporalVAE):
            shown = evaluated(data, model, split, step)
            yield from frame_pictures(data, model, shown, self.sequences, self.seed)
        if isinstance(data, FunctionDataModule) and isinstance(model, NeuralProcess):
            shown = evaluated(data, model, split, step)
            yield from function_pictures(data, model, shown, self.seed)

    def _save(self, name: str, figure: Figure) -> Path:
        path = self.folder / f"{name}.png"
        save(figure, path)
        return path


# Lightning sets these two without declaring them.
def draws(trainer: L.Trainer) -> bool:
    """Whether this process draws, and now."""
    return trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False)


def data_of(trainer: L.Trainer) -> object:
    """The data module, if there is one."""
    return getattr(trainer, "datamodule", None)


def moment_of(step: int | None) -> str:
    """What tells a file from those of other validations."""
    return "validate" if step is None else f"step{step:06d}"


def hand_out(trainer: L.Trainer, name: str, path: Path) -> None:
    """Give a picture to the loggers that take images, such as W&B's."""
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(f"pictures/{name}", [str(path)], step=trainer.global_step)
