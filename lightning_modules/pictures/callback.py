"""Draws what a model remembers after each validation."""

import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.figure import Figure

from datamodules.batch import FrameSequences
from datamodules.maze import MNISTMaze
from datamodules.picture_dataset import PictureDataset
from datamodules.sequence_datamodule import SequenceDataModule
from lightning_modules.metrics import Summary
from lightning_modules.pictures.generation_grid import Generation, generation_grid
from lightning_modules.pictures.headings import in_words, model_label
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.samples import Samples, sample
from lightning_modules.pictures.style import save
from lightning_modules.pictures.visit_overlay import visit_overlay
from lightning_modules.settings import require_positive
from lightning_modules.temporal_vae import TemporalVAE
from memory_cores import Weightings


class Pictures(L.Callback):
    """Saves pictures of the first validation sequences and hands them to loggers with images.

    Every benchmark has ``kl_curve``, ``memory_film`` (if the core has slots) and ``generations``,
    mazes also ``visit_overlay``. Each goes to ``<folder>/pictures/<name>_step<step>.png`` and, as
    the latest, to ``<name>.png``. Outside ``fit`` it goes to ``<name>_validate.png``, since there
    Lightning counts steps from 0 even for a model from a checkpoint.

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
        """Draw, in one process only."""
        # Lightning sets these two without declaring them.
        data, dry = getattr(trainer, "datamodule", None), getattr(trainer, "fast_dev_run", False)
        if dry or trainer.sanity_checking or not trainer.is_global_zero:
            return
        if isinstance(data, SequenceDataModule) and isinstance(pl_module, TemporalVAE):
            step = trainer.global_step if trainer.state.fn == TrainerFn.FITTING else None
            for name, figure in self._figures(data, pl_module, step):
                hand_out(trainer, name, self._save(name, figure, step))

    def _figures(
        self, data: SequenceDataModule, model: TemporalVAE, step: int | None
    ) -> Iterator[tuple[str, Figure]]:
        batch = first_sequences(data.dataset("val"), self.sequences)
        samples = sample(model, batch, data.prefix_length, self.seed)
        summary = model.validation_summary
        source = data.data_record()["source"]
        title = title_of(data, model, step)
        headings = title, kl_sentence(summary, source)
        colour = type(model.core).colour
        if summary is not None:
            yield "kl_curve", kl_curve(summary.curves, *headings, colour)
        if samples.weightings.read.shape[-1]:
            yield "memory_film", draw_film(samples, title, source, colour)
        maze = isinstance(data, MNISTMaze)
        yield "generations", generation_grid(generations_of(samples, maze), *headings, colour)
        if maze:
            yield "visit_overlay", draw_overlay(samples, data.hparams["grid"], title, source)

    def _save(self, name: str, figure: Figure, step: int | None) -> Path:
        moment = "validate" if step is None else f"step{step:06d}"
        path = self.folder / f"{name}_{moment}.png"
        save(figure, path)
        shutil.copyfile(path, self.folder / f"{name}.png")
        return path


def hand_out(trainer: L.Trainer, name: str, path: Path) -> None:
    """Give a picture to the loggers that take images, such as W&B's."""
    for logger in trainer.loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(f"pictures/{name}", [str(path)], step=trainer.global_step)


def first_sequences(dataset: PictureDataset, count: int) -> FrameSequences:
    """The first sequences of a fixed set as a batch, as many as there are up to ``count``."""
    items = [dataset[i] for i in range(min(count, len(dataset)))]
    return FrameSequences(*(torch.stack(field) for field in zip(*items, strict=True)))


def title_of(data: SequenceDataModule, model: TemporalVAE, step: int | None) -> str:
    """Such as "Perfect recall: GTMM (DNC) after 500 training steps", the core if it is a choice."""
    chosen = "memory" in inspect.signature(type(model)).parameters
    core = type(model.core).__name__ if chosen else None
    moment = "" if step is None else f" after {step:,} training steps"
    return f"{in_words(type(data).__name__)}: {model_label(type(model).__name__, core)}{moment}"


def kl_sentence(summary: Summary | None, source: str) -> str:
    """The source, and the validation set's mean KL if it is known."""
    if summary is None:
        return f"Validation set, {source}"
    new, recalled = (float(summary.scalars[f"kl_{group}"]) for group in ("new", "recalled"))
    kl = f"new {new:.2f} nats, recalled {recalled:.2f} nats"
    return f"Validation set, {source}; mean KL per step: {kl}"


def generations_of(samples: Samples, actions_are_moves: bool) -> list[Generation]:
    """One for each sequence."""
    batch = samples.batch
    return [
        Generation(
            batch.frames[i],
            samples.reconstruction[i],
            samples.generated[i],
            batch.recalled_from[i],
            samples.prefix,
            batch.actions[i].argmax(1) if actions_are_moves else None,
        )
        for i in range(len(batch.frames))
    ]


def draw_overlay(samples: Samples, grid: int, title: str, source: str) -> Figure:
    """Overlays of the first sequence: the truth, after the prefix, and without any frame."""
    after = f"generated\nafter t = {samples.prefix}"
    rows = {
        "truth": samples.batch.frames[0],
        after: samples.generated[0],
        "generated\nfrom the start": samples.imagined[0],
    }
    subtitle = (
        f"First validation sequence, {source}; a coherent model turns cells yellow, then white"
    )
    return visit_overlay(rows, samples.batch.place[0], grid, title, subtitle)


def draw_film(samples: Samples, title: str, source: str, colour: str) -> Figure:
    """Weightings of the first sequence while it was reconstructed."""
    weightings = Weightings(*(w[0] for w in samples.weightings))
    subtitle = (
        f"First validation sequence, {source}; the latent of a step is written in the step after it"
    )
    return memory_film(weightings, samples.batch.recalled_from[0], title, subtitle, colour)
