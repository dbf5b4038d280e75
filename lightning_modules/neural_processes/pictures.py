"""All pictures of neural processes."""

from collections.abc import Iterator

from matplotlib.figure import Figure
from torch import Tensor

from datamodules.points.benchmark import FunctionDataModule
from datamodules.points.canvas.benchmark import MovingPictures
from lightning_modules.metrics import Summary
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.predictions import Prediction, predict
from lightning_modules.pictures.completion import completion
from lightning_modules.pictures.evaluated import Evaluated
from lightning_modules.pictures.functions import functions
from lightning_modules.pictures.imaginary_keys import imaginary_keys
from lightning_modules.pictures.key_tracks import key_tracks
from lightning_modules.pictures.nll_curve import nll_curve


def function_pictures(
    data: FunctionDataModule, model: NeuralProcess, shown: Evaluated, seed: int
) -> Iterator[tuple[str, Figure]]:
    """Draw a fixed set's NLL, beside the optimum where that is known, then its first sequence.

    Args:
        data: that the model is measured on, set up.
        model: of functions.
        shown: which set, and what headings say.
        seed: of the noise.
    """
    if shown.summary is not None:
        sentence = nll_sentence(shown.whole_set, shown.summary)
        yield "nll_curve", nll_curve(shown.summary.curves, shown.title, sentence, shown.colour)
    whole = data.point_recipe(shown.split).everything
    prediction = predict(model, data.dataset(shown.split)[0], whole, seed)
    if data.x_size == 1:
        yield from drawn_functions(prediction, shown)
    if isinstance(data, MovingPictures):
        yield from drawn_images(prediction, shown)


def drawn_functions(prediction: Prediction, shown: Evaluated) -> Iterator[tuple[str, Figure]]:
    """Functions of one variable, and the keys of an RMR."""
    headings = shown.title, shown.first_sequence, shown.colour
    yield "functions", functions(prediction, *headings)
    if prediction.keys is not None:
        headings = shown.title, keys_sentence(prediction.keys, shown), shown.colour
        yield "imaginary_keys", key_tracks(prediction.keys, prediction, *headings)


def drawn_images(prediction: Prediction, shown: Evaluated) -> Iterator[tuple[str, Figure]]:
    """Completed images where all of their pixels are targets, and the keys of an RMR."""
    if prediction.whole:
        headings = shown.title, shown.first_sequence, shown.colour
        yield "completion", completion(prediction, *headings)
    if prediction.keys is not None:
        headings = shown.title, keys_sentence(prediction.keys, shown), shown.colour
        yield "imaginary_keys", imaginary_keys(prediction.keys, prediction, *headings)


def keys_sentence(keys: Tensor, shown: Evaluated) -> str:
    """The sequence, and how many keys [T, K, X] there are."""
    return f"{shown.first_sequence}; all {keys.shape[1]} keys of the memory"


def nll_sentence(whole_set: str, summary: Summary) -> str:
    """The set, and its mean NLL with and without a context."""
    groups = {
        group: float(summary.scalars[f"nll_{group}_context"])
        for group in ("with", "without")
        if f"nll_{group}_context" in summary.scalars
    }
    known = ", ".join(f"{group} a context {value:.3f}" for group, value in groups.items())
    return f"{whole_set}; mean NLL {float(summary.scalars['nll']):.3f} nats: {known}"
