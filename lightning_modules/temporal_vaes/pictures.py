"""All pictures of generative temporal models."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure

from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from datamodules.frames.dataset import PictureDataset
from datamodules.maze import MNISTMaze
from lightning_modules.pictures.evaluated import Evaluated
from lightning_modules.pictures.generation_grid import Generation, generation_grid
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.visit_overlay import visit_overlay
from lightning_modules.records.film_file import Film, film_of
from lightning_modules.temporal_vaes.samples import Samples, sample
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import Weightings


def frame_pictures(
    data: SequenceDataModule, model: TemporalVAE, shown: Evaluated, sequences: int, seed: int
) -> Iterator[tuple[str, Figure]]:
    """Draw a fixed set's KL, then its first sequences.

    Args:
        data: that the model is measured on, set up.
        model: of frames.
        shown: which set, and what headings say.
        sequences: how many are in ``generations``.
        seed: of the noise.
    """
    batch = first_sequences(data.dataset(shown.split), sequences)
    samples = sample(model, batch, data.prefix_length, seed)
    headings = shown.title, kl_sentence(shown)
    if shown.summary is not None:
        yield "kl_curve", kl_curve(shown.summary.curves, *headings, shown.colour)
    if samples.weightings.read.shape[-1]:
        yield "memory_film", draw_film(samples, shown)
    maze = isinstance(data, MNISTMaze)
    yield "generations", generation_grid(generations_of(samples, maze), *headings, shown.colour)
    if maze:
        yield "visit_overlay", draw_overlay(samples, data.hparams["grid"], shown)


def film_of_test(data: SequenceDataModule, model: TemporalVAE, seed: int) -> Film | None:
    """Of the first test sequence; None if the core has no slots."""
    samples = sample(model, first_sequences(data.dataset("test"), 1), data.prefix_length, seed)
    return film_of(samples) if samples.weightings.read.shape[-1] else None


def first_sequences(dataset: PictureDataset, count: int) -> FrameSequences:
    """The first sequences of a fixed set as a batch, as many as there are up to ``count``."""
    items = [dataset[i] for i in range(min(count, len(dataset)))]
    return FrameSequences(*(torch.stack(field) for field in zip(*items, strict=True)))


def kl_sentence(shown: Evaluated) -> str:
    """The set and its source, and its mean KL if it is known."""
    if shown.summary is None:
        return shown.whole_set
    new, recalled = (float(shown.summary.scalars[f"kl_{group}"]) for group in ("new", "recalled"))
    kl = f"new {new:.2f} nats, recalled {recalled:.2f} nats"
    return f"{shown.whole_set}; mean KL per step: {kl}"


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


def draw_overlay(samples: Samples, grid: int, shown: Evaluated) -> Figure:
    """Overlays of the first sequence: the truth, after the prefix, and without any frame."""
    after = f"generated\nafter t = {samples.prefix}"
    rows = {
        "truth": samples.batch.frames[0],
        after: samples.generated[0],
        "generated\nfrom the start": samples.imagined[0],
    }
    subtitle = f"{shown.first_sequence}; a coherent model turns cells yellow, then white"
    return visit_overlay(rows, samples.batch.place[0], grid, shown.title, subtitle)


def draw_film(samples: Samples, shown: Evaluated) -> Figure:
    """Weightings of the first sequence while it was reconstructed."""
    weightings = Weightings(*(w[0] for w in samples.weightings))
    subtitle = f"{shown.first_sequence}; the latent of a step is written in the step after it"
    recalled_from = samples.batch.recalled_from[0]
    return memory_film(weightings, recalled_from, shown.title, subtitle, shown.colour)
