"""All pictures of neural processes."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from datamodules.drifting_functions import DriftingFunctions
from datamodules.function_datamodule import FunctionDataModule
from datamodules.moving_pictures import MovingPictures
from lightning_modules.metrics import Summary
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.pictures.completion import completion
from lightning_modules.pictures.functions import functions
from lightning_modules.pictures.headings import title_of
from lightning_modules.pictures.imaginary_keys import imaginary_keys
from lightning_modules.pictures.key_tracks import key_tracks
from lightning_modules.pictures.looks import colour_of
from lightning_modules.pictures.nll_curve import nll_curve
from lightning_modules.pictures.predictions import Prediction, predict


def function_pictures(
    data: FunctionDataModule, model: NeuralProcess, step: int | None, seed: int
) -> Iterator[tuple[str, Figure]]:
    """Draw the validation set's NLL, then the first of its sequences.

    Args:
        data: that the model is validated on, set up.
        model: of functions.
        step: of training, None where it is not known.
        seed: of the noise.
    """
    title, source, colour = (
        title_of(data, model, step),
        data.data_record()["source"],
        colour_of(model),
    )
    if model.validation_summary is not None:
        sentence = nll_sentence("Validation set", source, model.validation_summary)
        yield "nll_curve", nll_curve(model.validation_summary.curves, title, sentence, colour)
    whole = data.point_recipe("val").everything
    prediction = predict(model, data.dataset("val")[0], whole, seed)
    first = f"First validation sequence, {source}"
    if isinstance(data, DriftingFunctions):
        yield from drawn_functions(prediction, title, first, colour)
    if isinstance(data, MovingPictures):
        yield from drawn_images(prediction, title, first, colour)


def pictures_of_test(
    data: FunctionDataModule, model: NeuralProcess
) -> Iterator[tuple[str, Figure]]:
    """Draw the test set's NLL, beside the optimum where that is known."""
    if model.test_summary is not None:
        title, source = title_of(data, model, None), data.data_record()["source"]
        sentence = nll_sentence("Test set", source, model.test_summary)
        yield "nll_curve", nll_curve(model.test_summary.curves, title, sentence, colour_of(model))


def drawn_functions(
    prediction: Prediction, title: str, first: str, colour: str
) -> Iterator[tuple[str, Figure]]:
    """Functions of one variable, and the keys of an RMR."""
    yield "functions", functions(prediction, title, first, colour)
    if prediction.keys is not None:
        sentence = f"{first}; all {prediction.keys.shape[1]} keys of the memory"
        yield "imaginary_keys", key_tracks(prediction.keys, prediction, title, sentence, colour)


def drawn_images(
    prediction: Prediction, title: str, first: str, colour: str
) -> Iterator[tuple[str, Figure]]:
    """Completed images where all of their pixels are targets, and the keys of an RMR."""
    if prediction.whole:
        yield "completion", completion(prediction, title, first, colour)
    if prediction.keys is not None:
        sentence = f"{first}; all {prediction.keys.shape[1]} keys of the memory"
        yield "imaginary_keys", imaginary_keys(prediction.keys, prediction, title, sentence, colour)


def nll_sentence(which: str, source: str, summary: Summary) -> str:
    """The set and its source, and its mean NLL with and without a context."""
    groups = {
        group: float(summary.scalars[f"nll_{group}_context"])
        for group in ("with", "without")
        if f"nll_{group}_context" in summary.scalars
    }
    known = ", ".join(f"{group} a context {value:.3f}" for group, value in groups.items())
    return f"{which}, {source}; mean NLL {float(summary.scalars['nll']):.3f} nats: {known}"
