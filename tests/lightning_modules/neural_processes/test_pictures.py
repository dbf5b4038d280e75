"""Pictures of neural processes in real runs: files, headings, colours, and what is possible."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from datamodules import DriftingFunctions, FunctionDataModule, MovingDigits, RenderedFaces
from datamodules.points.canvas.canvas import canvas_images
from datamodules.sources import faces
from lightning_modules import ANP, NP, SNP, TGQN
from lightning_modules.callbacks.pictures import Pictures, evaluated
from lightning_modules.drawings import Contestant
from lightning_modules.metrics import Summary
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.pictures import (
    FunctionDrawings,
    images_of,
    nll_sentence,
    rendered_images,
)
from lightning_modules.neural_processes.predictions import predict
from lightning_modules.pictures.patch_error_curve import GUESSES
from memory_cores import CORES, RMR, ContextWindow
from tests.lightning_modules.quiet_runs import names, trainer

FUNCTIONS = {"nll_curve", "functions", "imaginary_keys"}
IMAGES = {"nll_curve", "completion", "imaginary_keys"}


def drawn_of(data: FunctionDataModule, model: NeuralProcess, step: int) -> dict[str, Figure]:
    """Pictures of the validation set, by name."""
    return dict(
        FunctionDrawings().figures(
            model, data, evaluated(data, model, "val", step), sequences=1, seed=0
        )
    )


def test_a_run_leaves_pictures_and_a_test_others(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], tmp_path: Path
) -> None:
    running, model = trainer(tmp_path, Pictures(tmp_path)), process(drifting)
    running.fit(model, drifting)
    left = {f"{name}{moment}.png" for name in FUNCTIONS for moment in ("", "_step000002")}
    assert names(tmp_path) == left
    running.test(model, drifting, verbose=False)
    assert names(tmp_path) == left | {f"{name}_test.png" for name in FUNCTIONS}
    for split in ("val", "test"):
        shown = evaluated(drifting, model, split, None)
        figures = dict(FunctionDrawings().figures(model, drifting, shown, sequences=1, seed=0))
        optimum = figures["nll_curve"].axes[0].lines[1].get_ydata()
        assert optimum == pytest.approx(drifting.optimal_nll(split)["nll"].numpy(), rel=1e-5)
    assert figures["functions"].texts[1].get_text().startswith("First test sequence")
    for path in tmp_path.glob("pictures/*"):
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 500_000


def test_training_does_not_notice_pictures(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess], tmp_path: Path
) -> None:
    results = []
    for callbacks in ([], [Pictures(tmp_path)]):
        model = process(drifting, stochastic_keys=True)
        torch.manual_seed(0)
        trainer(tmp_path, *callbacks, max_epochs=2, max_steps=3).fit(model, drifting)
        results.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))
    assert names(tmp_path)


def test_images_are_completed(
    digits: MovingDigits, process: Callable[..., NeuralProcess], tmp_path: Path
) -> None:
    trainer(tmp_path, Pictures(tmp_path)).validate(process(digits), digits, verbose=False)
    assert names(tmp_path) == {f"{n}{end}.png" for n in IMAGES for end in ("", "_validate")}


def test_headings_tell_benchmark_model_step_and_source(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess]
) -> None:
    model = process(drifting)
    names = ("nll", "nll_with_context", "nll_without_context")
    scalars = dict(zip(names, torch.tensor([1.25, 1.0, 1.5]), strict=True))
    curves = {"nll": torch.rand(6), "context_share": torch.rand(6)}
    model.validation_summary = Summary(scalars, curves, 2)
    figures = drawn_of(drifting, model, 1500)
    assert set(figures) == FUNCTIONS
    for figure in figures.values():
        texts = {text.get_gid(): text for text in figure.texts}
        title = "Drifting functions: ASNP (RMR) after 1,500 training steps"
        assert texts["title"].get_text() == title
        assert "generated" in texts["subtitle"].get_text()
        box = texts["subtitle"].get_window_extent(FigureCanvasAgg(figure).get_renderer())
        assert box.x1 < figure.bbox.x1
    means = "mean NLL 1.250 nats: with a context 1.000, without a context 1.500"
    assert nll_sentence("Test set, mnist", model.validation_summary) == f"Test set, mnist; {means}"
    lines = {line.get_gid(): line for line in figures["functions"].axes[0].lines}
    assert to_hex(lines["mean"].get_color()) == RMR.look.colour.lower()


def test_baselines_have_neither_keys_nor_the_colour_of_a_core(drifting: DriftingFunctions) -> None:
    model = ANP(sequence_length=6, test_length=6, x_size=1, x_range=4.0, y_size=1, hidden_size=8)
    assert set(drawn_of(drifting, model, 1)) == {"functions"}
    assert evaluated(drifting, model, "val", 1).colour == "#7A7A7A"
    assert model.contestant == "ANP"


def test_baselines_are_told_apart_without_the_colour_of_a_core(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess]
) -> None:
    looks = [NP.baseline_look, ANP.baseline_look, SNP.baseline_look, ContextWindow.look]
    colours, markers = zip(*looks, strict=True)
    assert len(set(colours)) == len(set(markers)) == 4
    assert not {core.look.colour for core in CORES} & set(colours[:3])
    other = process(drifting)
    assert other.look == RMR.look and other.contestant == "RMR"


def test_every_picture_that_is_drawn_is_declared(
    drifting: DriftingFunctions, digits: MovingDigits, process: Callable[..., NeuralProcess]
) -> None:
    curves = {"nll": torch.rand(6), "context_share": torch.rand(6)}
    drawn: set[str] = set()
    for data in (drifting, digits):
        model = process(data)
        model.validation_summary = Summary({"nll": torch.tensor(1.25)}, curves, 2)
        drawn |= set(drawn_of(data, model, 1))
    of_patches = {"patch_error_curve"}
    assert drawn | of_patches == {picture.name for picture in FunctionDrawings.pictures}


def test_images_are_arranged_as_their_canvas(
    digits: MovingDigits, process: Callable[..., NeuralProcess]
) -> None:
    prediction = predict(process(digits), digits.dataset("val")[0], seed=0)
    sequence, images = prediction.sequence, images_of(prediction)
    assert torch.equal(images.truth, canvas_images(sequence.target_y))
    assert torch.equal(images.mean, canvas_images(prediction.targets.mean))
    assert torch.equal(images.sigma, prediction.targets.sigma.view(6, 42, 42))
    seen = torch.zeros(6, 42, 42, dtype=torch.bool)
    for t in range(6):
        for row, column in (
            ((sequence.context_x[t] + 1) * 41 / 2).round().long()[sequence.context_mask[t]]
        ):
            seen[t, row, column] = True
    assert seen.sum() == sequence.context_mask.sum() and not seen[4:].any()
    assert torch.equal(images.seen, seen)


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RenderedFaces:
    monkeypatch.setattr(faces, "NUMBERS", {s: n[:3] for s, n in faces.NUMBERS.items()})
    sizes = {"train_size": 4, "val_size": 2, "test_size": 2, "contexts": (5, 5), "most_points": 9}
    data = RenderedFaces(data_dir=str(tmp_path), source="faces", num_workers=0, **sizes)
    data.setup()
    return data


def test_rendered_canvases_are_completed(rendered: RenderedFaces) -> None:
    torch.manual_seed(0)
    sizes = {"sequence_length": 6, "test_length": 6, "x_size": 2, "x_range": 1.0, "y_size": 192}
    model = TGQN(**sizes, patch_shape=(3, 8, 8), hidden_size=4, state_maps=4, renderer_maps=4)
    curves = {name: torch.rand(6) for name in (*GUESSES, "patch_error", "patch_error_unseen")}
    curves |= {"nll": torch.rand(6), "context_share": torch.rand(6)}
    model.validation_summary = Summary({"nll": torch.tensor(1.25)}, curves, 2)
    shown = evaluated(rendered, model, "val", 1)
    drawn = dict(FunctionDrawings().figures(model, rendered, shown, sequences=1, seed=0))
    assert set(drawn) == {"completion", "nll_curve", "patch_error_curve"}
    prediction = predict(model, rendered.dataset("val").tiled(0), seed=0)
    images = rendered_images(prediction, rendered.patch_shape)
    assert images.truth.shape == images.mean.shape == (6, 3, 80, 80)
    mean, sigma = prediction.targets
    for tile in (0, 37, 99):
        row, column = 8 * (tile // 10), 8 * (tile % 10)
        window = slice(row, row + 8), slice(column, column + 8)
        expected = (mean[2, tile].view(3, 8, 8) + 0.5).clamp(0, 1)
        torch.testing.assert_close(images.mean[2, :, *window], expected)
        # Above 1 with a fixed sigma of 1, to which that of the samples is added.
        expected = sigma[2, tile].view(3, 8, 8).mean(0)
        torch.testing.assert_close(images.sigma[2, *window], expected)
    assert images.sigma.min() >= 1 and images.sigma.max() > 1
    with_context = rendered.dataset("val")[0].context_mask.any(1)
    assert torch.equal(images.seen.flatten(1).any(1), with_context)


def test_models_of_functions_are_drawn_side_by_side(
    drifting: DriftingFunctions, process: Callable[..., NeuralProcess]
) -> None:
    model = process(drifting)
    models = [Contestant(name, "#d55e00", model) for name in ("A", "B", "C")]
    (figure,) = dict(FunctionDrawings().side_by_side(models, drifting, seed=0)).values()
    mean = predict(model, drifting.dataset("test")[0], seed=0).targets.mean
    first = next(line for line in figure.axes[0].lines if line.get_gid() == "mean")
    step = int(figure.axes[0].get_title(loc="left").split()[2].strip(",")) - 1
    assert first.get_ydata() == pytest.approx(mean[step, :, 0].numpy())
    assert [axes.get_ylabel() for axes in figure.axes[::4]] == ["A", "B", "C"]


def test_models_of_images_are_drawn_side_by_side(
    digits: MovingDigits, process: Callable[..., NeuralProcess]
) -> None:
    models = [Contestant(name, "#d55e00", process(digits)) for name in ("A", "B")]
    ((name, figure),) = dict(FunctionDrawings().side_by_side(models, digits, seed=0)).items()
    prediction = predict(models[1].model, digits.dataset("test")[0], seed=0)
    drawn = [i for axes in figure.axes for i in axes.images if i.get_gid() == "B"]
    assert name == "completed"
    expected = canvas_images(prediction.targets.mean)[:, 0].clamp(0, 1)
    assert torch.tensor(drawn[0].get_array())[..., 0].float() == pytest.approx(
        expected[0].numpy(), abs=1 / 255
    )
