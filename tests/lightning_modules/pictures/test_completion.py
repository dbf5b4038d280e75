"""Rows of images: context pixels, truth, means, standard deviations."""

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.pictures import completion
from lightning_modules.pictures.completion import (
    UNSEEN,
    CompletedImages,
    ModelImages,
    completions_of_models,
)


@pytest.fixture
def completed() -> CompletedImages:
    """Six images in black and white, of which the last two have no context."""
    torch.manual_seed(5)
    truth, mean = torch.rand(2, 6, 1, 42, 42)
    seen = torch.rand(6, 42, 42) < 0.02
    seen[4:] = False
    return CompletedImages(truth, seen, mean, sigma=torch.rand(6, 42, 42) + 0.1)


def rows_of(figure: Figure) -> dict[str, Tensor]:
    images = [image for axes in figure.axes for image in axes.images]
    rows: dict[str, list[Tensor]] = {}
    for image in images:
        rows.setdefault(str(image.get_gid()), []).append(torch.tensor(image.get_array()))
    return {name: torch.stack(row) for name, row in rows.items()}


def test_rows_are_context_target_mean_and_deviation(completed: CompletedImages) -> None:
    rows = rows_of(completion(completed, "Title", "Subtitle", "#D55E00"))
    assert [len(row) for row in rows.values()] == [6] * 4
    truth, seen = completed.truth[:, 0], completed.seen
    assert torch.equal(rows["target"][..., 0], truth)
    assert torch.equal(rows["predicted mean"][..., 1], completed.mean[:, 0])
    torch.testing.assert_close(rows["deviation"].float(), completed.sigma)
    assert torch.equal(rows["context"][seen][:, 0], truth[seen])
    unseen = torch.tensor(to_rgb(UNSEEN))
    torch.testing.assert_close(rows["context"][~seen], unseen.expand(int((~seen).sum()), 3))


def test_no_pixel_can_be_taken_for_one_that_was_not_seen() -> None:
    assert len(set(to_rgb(UNSEEN))) == 3, "no shade of grey"


def test_deviations_have_one_scale_from_zero(completed: CompletedImages) -> None:
    figure = completion(completed, "", "", "#D55E00")
    images = [i for axes in figure.axes for i in axes.images if i.get_gid() == "deviation"]
    highest = completed.sigma.max().item()
    assert [image.get_clim() for image in images] == [(0, pytest.approx(highest))] * 6


def test_columns_are_named(completed: CompletedImages) -> None:
    figure = completion(completed, "", "", "#D55E00")
    heads = [axes.get_title() for axes in figure.axes[:6]]
    numbers = completed.seen.sum((1, 2)).tolist()
    assert heads == [f"t = {t}, {n} px" for t, n in enumerate(numbers, 1)]
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [axes.title.get_window_extent(renderer) for axes in figure.axes[:6]]
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_model_that_diverged_is_drawn(completed: CompletedImages) -> None:
    nothing = (torch.full_like(part, torch.nan) for part in (completed.mean, completed.sigma))
    completion(
        completed._replace(**dict(zip(("mean", "sigma"), nothing, strict=True))), "", "", "#D55E00"
    )


def test_images_in_colour_show_their_pixels(completed: CompletedImages) -> None:
    truth = torch.rand(6, 3, 42, 42)
    rows = rows_of(completion(completed._replace(truth=truth), "", "", "#D55E00"))
    assert torch.equal(rows["target"], truth.permute(0, 2, 3, 1))
    seen = completed.seen
    assert torch.equal(rows["context"][seen], truth.permute(0, 2, 3, 1)[seen])


def test_models_have_a_row_each_below_the_target(completed: CompletedImages) -> None:
    other = completed._replace(mean=1 - completed.mean)
    models = {"A (B)": ModelImages(completed, "#D55E00"), "C": ModelImages(other, "#009E73")}
    figure = completions_of_models(models, "Title", "Subtitle")
    rows = rows_of(figure)
    assert [*rows] == ["context", "target", "A (B)", "C"]
    assert torch.equal(rows["target"][..., 0], completed.truth[:, 0])
    assert torch.equal(rows["A (B)"][..., 0], completed.mean[:, 0])
    assert torch.equal(rows["C"][..., 0], other.mean[:, 0])
    labels = {axes.get_ylabel(): axes.yaxis.label.get_color() for axes in figure.axes}
    assert labels["A\n(B)"] == "#D55E00" and labels["C"] == "#009E73"
    figure.draw_without_rendering()
