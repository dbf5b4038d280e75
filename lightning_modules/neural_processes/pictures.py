"""All pictures of neural processes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import FunctionDataModule
from datamodules.points.canvas.canvas import canvas_images
from datamodules.points.canvas.patches import canvases_of, covered
from datamodules.sources import Split
from lightning_modules.declarations import Picture
from lightning_modules.drawings import Contestant, Drawings, Evaluated
from lightning_modules.metrics.step_means import Summary
from lightning_modules.names import in_words
from lightning_modules.neural_processes.predictions import PredictedSequence, predict
from lightning_modules.pictures.completion import (
    CompletedImages,
    ModelImages,
    completion,
    completions_of_models,
)
from lightning_modules.pictures.functions import (
    ModelFunctions,
    functions,
    functions_of_models,
)
from lightning_modules.pictures.imaginary_keys import imaginary_keys
from lightning_modules.pictures.key_tracks import key_tracks
from lightning_modules.pictures.nll_curve import nll_curve
from lightning_modules.pictures.patch_error_curve import patch_error_curve
from lightning_modules.pictures.predicted_functions import PredictedFunctions

if TYPE_CHECKING:
    from lightning_modules.neural_processes.neural_process import NeuralProcess


class FunctionDrawings(Drawings):
    """Functions or moving pictures, their predictions, and the memory's imaginary keys."""

    pictures = (
        Picture("functions", "Functions and their predictions"),
        Picture("completion", "Completed images"),
        Picture("imaginary_keys", "Imaginary keys of the memory"),
        Picture("nll_curve"),
        Picture("patch_error_curve"),
    )

    def figures(
        self,
        model: "NeuralProcess",
        data: FunctionDataModule[Any],
        shown: Evaluated,
        sequences: int,
        seed: int,
    ) -> Iterator[tuple[str, Figure]]:
        """Draw a fixed set's NLL, with the optimum if known, then its first sequence.

        Args:
            model: a model of functions.
            data: the data module that it is measured on, set up.
            shown: which set, and what headings say.
            sequences: not used; a figure shows one sequence.
            seed: the seed of the noise.
        """
        if shown.summary is not None:
            curves = shown.summary.curves
            sentence = nll_sentence(shown.whole_set, shown.summary)
            headings = shown.title, sentence, shown.colour
            yield "nll_curve", nll_curve(curves, *headings)
            if data.patch_shape is not None:
                yield "patch_error_curve", patch_error_curve(curves, *headings)
        prediction = predict(model, first_sequence(data, shown.split), seed)
        if data.x_size == 1:
            yield from drawn_functions(prediction, shown)
        if data.patch_shape is not None:
            images = rendered_images(prediction, data.patch_shape)
            yield "completion", completion(images, shown.title, shown.first_sequence, shown.colour)
        if data.canvas_shape is not None:
            yield from drawn_images(prediction, shown)

    def side_by_side(
        self, models: Sequence[Contestant], data: FunctionDataModule[Any], seed: int
    ) -> Iterator[tuple[str, Figure]]:
        """Draw what each model predicts at some steps of the first test sequence, a row each.

        Args:
            models: models of functions.
            data: the data module that they are tested on, set up.
            seed: the seed of the noise.
        """
        sequence = first_sequence(data, "test")
        predicted = [predict(each.model, sequence, seed) for each in models]
        headings = (
            in_words(type(data).__name__),
            f"First test sequence, {data.data_record()['source']}",
        )
        if data.x_size == 1:
            of_models = {
                each.name: ModelFunctions(functions_of(prediction), each.colour)
                for each, prediction in zip(models, predicted, strict=True)
            }
            yield "predicted", functions_of_models(of_models, *headings)
        if data.patch_shape is not None or data.canvas_shape is not None:
            images = {
                each.name: ModelImages(completed(prediction, data.patch_shape), each.colour)
                for each, prediction in zip(models, predicted, strict=True)
            }
            yield "completed", completions_of_models(images, *headings)


def first_sequence(data: FunctionDataModule[Any], split: Split) -> FunctionSequences:
    """Return the first sequence of a split; patches tile the whole canvas."""
    dataset = data.dataset(split)
    return dataset[0] if data.patch_shape is None else dataset.tiled(0)


def completed(prediction: PredictedSequence, patch: tuple[int, int, int] | None) -> CompletedImages:
    """Prepare images of pixels or of patches for drawing."""
    return images_of(prediction) if patch is None else rendered_images(prediction, patch)


def drawn_functions(
    prediction: PredictedSequence, shown: Evaluated
) -> Iterator[tuple[str, Figure]]:
    """Draw functions of one variable, and the keys of an RMR."""
    predicted = functions_of(prediction)
    yield "functions", functions(predicted, shown.title, shown.first_sequence, shown.colour)
    if predicted.keys is not None:
        headings = shown.title, keys_sentence(predicted.keys, shown), shown.colour
        yield "imaginary_keys", key_tracks(predicted.keys, predicted, *headings)


def drawn_images(prediction: PredictedSequence, shown: Evaluated) -> Iterator[tuple[str, Figure]]:
    """Draw completed images, and the keys of an RMR."""
    images = images_of(prediction)
    yield "completion", completion(images, shown.title, shown.first_sequence, shown.colour)
    if prediction.keys is not None:
        headings = shown.title, keys_sentence(prediction.keys, shown), shown.colour
        centres = prediction.sequence.task
        yield "imaginary_keys", imaginary_keys(prediction.keys, centres, images.truth, *headings)


def functions_of(prediction: PredictedSequence) -> PredictedFunctions:
    """Prepare functions of one variable for drawing."""
    sequence = prediction.sequence
    return PredictedFunctions(
        sequence.context_x,
        sequence.context_y,
        sequence.context_mask,
        sequence.target_x,
        sequence.target_y,
        sequence.target_mask,
        prediction.targets.mean,
        prediction.targets.sigma,
        prediction.keys,
        prediction.x_range,
    )


def images_of(prediction: PredictedSequence) -> CompletedImages:
    """Prepare images for drawing, all of whose pixels are targets."""
    sequence, (mean, sigma) = prediction.sequence, prediction.targets
    truth = canvas_images(sequence.target_y)
    canvas = truth.shape[-2:]
    return CompletedImages(
        truth,
        sequence.target_seen.unflatten(1, canvas),
        canvas_images(mean),
        sigma.mean(-1).unflatten(1, canvas),
    )


def rendered_images(prediction: PredictedSequence, patch: tuple[int, int, int]) -> CompletedImages:
    """Prepare canvases for drawing, tiled by the target patches.

    Args:
        prediction: of a sequence whose targets are these patches.
        patch: channels, height and width of a patch.
    """
    sequence, (mean, sigma) = prediction.sequence, prediction.targets
    truth, drawn = ((canvases_of(y, patch) + 0.5).clamp(0, 1) for y in (sequence.target_y, mean))
    seen = covered(sequence.context_x, sequence.context_mask, truth.shape[-1], patch[1])
    return CompletedImages(truth, seen, drawn, canvases_of(sigma, patch).mean(-3))


def keys_sentence(keys: Tensor, shown: Evaluated) -> str:
    """Name the sequence and the number of keys [T, K, X]."""
    return f"{shown.first_sequence}; all {keys.shape[1]} keys of the memory"


def nll_sentence(whole_set: str, summary: Summary) -> str:
    """Name the set and its mean NLL with and without a context."""
    groups = {
        group: float(summary.scalars[f"nll_{group}_context"])
        for group in ("with", "without")
        if f"nll_{group}_context" in summary.scalars
    }
    means = ", ".join(f"{group} a context {value:.3f}" for group, value in groups.items())
    return f"{whole_set}; mean NLL {float(summary.scalars['nll']):.3f} nats: {means}"
