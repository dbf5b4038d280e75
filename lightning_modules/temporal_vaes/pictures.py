"""All pictures of generative temporal models."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from matplotlib.animation import Animation
from matplotlib.figure import Figure
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from datamodules.loading.episodes import EpisodeDataset
from lightning_modules.declarations import Picture
from lightning_modules.drawings import Contestant, Drawings, Evaluated
from lightning_modules.metrics.answers import OLD_AGE
from lightning_modules.names import in_words
from lightning_modules.pictures.generation_grid import (
    Generation,
    Row,
    generation_grid,
    model_rows,
)
from lightning_modules.pictures.kl_curve import kl_curve
from lightning_modules.pictures.memory_film import memory_film
from lightning_modules.pictures.moving_generations import moving_generations
from lightning_modules.pictures.style import in_two_lines
from lightning_modules.pictures.visit_overlay import visit_overlay
from lightning_modules.temporal_vaes.samples import Samples, sample

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE

#: Symbols for actions of these names; other names are written out.
ARROWS = {"none": "", "up": "↑", "down": "↓", "left": "←", "right": "→"}


class FrameDrawings(Drawings):
    """Reconstructed and generated frames, and the memory's weightings."""

    pictures = (
        Picture("generations", "Reconstructed, and generated after a prefix"),
        Picture("moving_generations", "Generated after a prefix, as a film"),
        Picture("visit_overlay", "A maze as it is generated"),
        Picture("kl_curve"),
        Picture("memory_film"),
    )

    def figures(
        self,
        model: "TemporalVAE",
        data: SequenceDataModule[Any],
        shown: Evaluated,
        sequences: int,
        seed: int,
    ) -> Iterator[tuple[str, Figure | Animation]]:
        """Draw a fixed set's KL, then its first sequences.

        Args:
            model: a model of frames.
            data: the data module that it is measured on, set up.
            shown: the set, headings and results to show.
            sequences: number of sequences in ``generations``.
            seed: the seed of the noise.
        """
        batch = first_sequences(data.dataset(shown.split), sequences)
        samples = sample(model, batch, data.prefix_length, seed)
        headings = shown.title, kl_sentence(shown)
        if shown.summary is not None:
            yield "kl_curve", kl_curve(shown.summary.curves, *headings, shown.colour)
        if samples.weightings.read.shape[-1]:
            yield "memory_film", draw_film(samples, shown)
        generations = generations_of(samples, data.action_names)
        yield "generations", generation_grid(generations, *headings, shown.colour)
        if data.returns and shown.split == "test":
            yield "moving_generations", moving_generations(generations, *headings, shown.colour)
        if data.grid is not None:
            yield "visit_overlay", draw_overlay(samples, data.grid, shown)

    def side_by_side(
        self, models: Sequence[Contestant], data: SequenceDataModule[Any], seed: int
    ) -> Iterator[tuple[str, Figure]]:
        """Draw each model's generation after the same prefix, one row each; mazes also as overlays.

        Args:
            models: models of frames.
            data: the data module that they are tested on, set up.
            seed: the seed of the noise.
        """
        batch, prefix = first_sequences(data.dataset("test"), 1), data.prefix_length
        samples = [sample(each.model, batch, prefix, seed) for each in models]
        title = in_words(type(data).__name__)
        subtitle = f"First test sequence, {data.data_record()['source']}"
        (first, *_) = generations_of(samples[0], data.action_names)
        generated = {
            in_two_lines(each.name): Row(drawn.generated[0], each.colour)
            for each, drawn in zip(models, samples, strict=True)
        }
        yield "generated", model_rows(first, generated, title, f"{subtitle}; generated from memory")
        if data.grid is not None:
            walks = {name: row.frames for name, row in generated.items()}
            explanation = (
                f"{subtitle}; generated after t = {prefix}; a coherent model turns cells yellow, "
                "then white"
            )
            rows = {"truth": batch.frames[0], **walks}
            yield "visits", visit_overlay(rows, batch.place[0], data.grid, title, explanation)

    def film(
        self, model: "TemporalVAE", data: SequenceDataModule[Any], seed: int
    ) -> dict[str, Tensor] | None:
        """Return the first test sequence and the memory's weightings during reconstruction.

        Args:
            model: a model of frames.
            data: the data module that it is tested on, set up.
            seed: the seed of the noise.

        Returns:
            ``read`` [T, R, N], ``write`` [T, H, N], ``recalled_from`` [T] and ``frames``
            [T, C, H, W]; None if the core has no slots.
        """
        samples = sample(model, first_sequences(data.dataset("test"), 1), data.prefix_length, seed)
        read, write = (weights[0] for weights in samples.weightings)
        if not read.shape[-1]:
            return None
        batch = samples.batch
        return {
            "read": read,
            "write": write,
            "recalled_from": batch.recalled_from[0],
            "frames": batch.frames[0],
        }


def first_sequences(dataset: EpisodeDataset[FrameSequences], count: int) -> FrameSequences:
    """Batch the first sequences of a fixed set, at most ``count``."""
    items = [dataset[i] for i in range(min(count, len(dataset)))]
    return FrameSequences(*(torch.stack(field) for field in zip(*items, strict=True)))


def kl_sentence(shown: Evaluated) -> str:
    """Name the set and its source and, if measured, its mean KL."""
    if shown.summary is None:
        return shown.whole_set
    new, recalled = (float(shown.summary.scalars[f"kl_{group}"]) for group in ("new", "recalled"))
    kl = f"new {new:.2f} nats, recalled {recalled:.2f} nats"
    return f"{shown.whole_set}; mean KL per step: {kl}"


def generations_of(samples: Samples, action_names: tuple[str, ...]) -> list[Generation]:
    """Prepare each sequence for drawing.

    Args:
        samples: samples of B sequences.
        action_names: names of their A actions; empty if actions are not drawn.
    """
    batch = samples.batch
    signs = [ARROWS.get(name, name) for name in action_names]
    return [
        Generation(
            batch.frames[i],
            samples.reconstruction[i],
            samples.generated[i],
            batch.recalled_from[i],
            samples.prefix,
            OLD_AGE,
            [signs[action] for action in batch.actions[i].argmax(1).tolist()] if signs else None,
        )
        for i in range(len(batch.frames))
    ]


def draw_overlay(samples: Samples, grid: int, shown: Evaluated) -> Figure:
    """Draw overlays of the first sequence: true, generated after the prefix, and from nothing."""
    after = f"generated\nafter t = {samples.prefix}"
    rows = {
        "truth": samples.batch.frames[0],
        after: samples.generated[0],
        "generated\nfrom the start": samples.imagined[0],
    }
    subtitle = f"{shown.first_sequence}; a coherent model turns cells yellow, then white"
    return visit_overlay(rows, samples.batch.place[0], grid, shown.title, subtitle)


def draw_film(samples: Samples, shown: Evaluated) -> Figure:
    """Draw the weightings during the reconstruction of the first sequence."""
    read, write = (weights[0] for weights in samples.weightings)
    subtitle = f"{shown.first_sequence}; the latent of a step is written in the step after it"
    recalled_from = samples.batch.recalled_from[0]
    return memory_film(read, write, recalled_from, shown.title, subtitle, shown.colour)
