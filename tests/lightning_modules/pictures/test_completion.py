"""What each row of images shows: pixels that were seen, the truth, means, standard deviations."""

from collections.abc import Callable

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from datamodules import MovingDigits
from datamodules.points.canvas.canvas import canvas_images
from lightning_modules.neural_processes.predictions import Prediction, predict
from lightning_modules.pictures import completion
from lightning_modules.pictures.completion import UNSEEN


@pytest.fixture
def completed(digits: MovingDigits, process: Callable) -> Prediction:
    """Of a sequence of digits; of six steps the last two have no context."""
    return predict(process(digits), digits.dataset("val")[0], whole=True, seed=0)


def rows_of(figure: Figure) -> dict[str, Tensor]:
    images = [image for axes in figure.axes for image in axes.images]
    rows: dict[str, list[Tensor]] = {}
    for image in images:
        rows.setdefault(str(image.get_gid()), []).append(torch.tensor(image.get_array()))
    return {name: torch.stack(row) for name, row in rows.items()}


def test_rows_are_context_target_mean_and_deviation(completed: Prediction) -> None:
    rows = rows_of(completion(completed, "Title", "Subtitle", "#D55E00"))
    assert [len(row) for row in rows.values()] == [6] * 4
    sequence = completed.sequence
    truth = canvas_images(sequence.target_y)[:, 0]
    assert torch.equal(rows["target"][..., 0], truth)
    assert torch.equal(rows["predicted mean"][..., 1], canvas_images(completed.targets.mean)[:, 0])
    sigma = completed.targets.sigma.view(6, 42, 42)
    torch.testing.assert_close(rows["deviation"].float(), sigma)
    seen = torch.zeros(6, 42, 42, dtype=torch.bool)
    for t in range(6):
        for row, column in (
            ((sequence.context_x[t] + 1) * 41 / 2).round().long()[sequence.context_mask[t]]
        ):
            seen[t, row, column] = True
    assert seen.sum() == sequence.context_mask.sum() and not seen[4:].any()
    assert torch.equal(rows["context"][seen][:, 0], truth[seen])
    unseen = torch.tensor(to_rgb(UNSEEN))
    torch.testing.assert_close(rows["context"][~seen], unseen.expand(int((~seen).sum()), 3))


def test_no_pixel_can_be_taken_for_one_that_was_not_seen() -> None:
    assert len(set(to_rgb(UNSEEN))) == 3, "no shade of grey"


def test_deviations_have_one_scale_from_zero(completed: Prediction) -> None:
    figure = completion(completed, "", "", "#D55E00")
    images = [i for axes in figure.axes for i in axes.images if i.get_gid() == "deviation"]
    highest = completed.targets.sigma.max().item()
    assert [image.get_clim() for image in images] == [(0, pytest.approx(highest))] * 6


def test_columns_are_named(completed: Prediction) -> None:
    figure = completion(completed, "", "", "#D55E00")
    heads = [axes.get_title() for axes in figure.axes[:6]]
    numbers = completed.sequence.context_mask.sum(1).tolist()
    assert heads == [f"t = {t}, {n} px" for t, n in enumerate(numbers, 1)]
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [axes.title.get_window_extent(renderer) for axes in figure.axes[:6]]
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_model_that_diverged_is_drawn(completed: Prediction) -> None:
    nothing = completed.targets._replace(
        **{name: torch.full((6, 1764, 1), torch.nan) for name in ("mean", "sigma")}
    )
    completion(completed._replace(targets=nothing), "", "", "#D55E00")
