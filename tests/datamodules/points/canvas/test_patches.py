"""Patches of a moving face: against loops over pixels, and the contract of a batch."""

from typing import Any

import numpy as np
import pytest
import torch

from datamodules import RenderedFaces
from datamodules.points.canvas.mean_canvas import mean_canvas
from datamodules.points.canvas.patches import canvases_of, covered, painted, patches_at
from datamodules.sources import faces

SMALL = {"source": "faces", "num_workers": 0, "train_size": 4, "val_size": 3, "test_size": 3}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces are large: 5,000 would take ten seconds."""
    monkeypatch.setattr(faces, "NUMBERS", {s: n[:200] for s, n in faces.NUMBERS.items()})


def test_patches_are_cut_out_of_the_canvas_row_by_row() -> None:
    """On canvases of 7 x 7 there are 5 x 5 patches of 3 x 3."""
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(256, size=(2, 4, 4, 3), dtype=np.uint8))
    corners = torch.tensor([[[0, 3], [2, 1]], [[3, 3], [1, 0]]])
    index = torch.from_numpy(rng.integers(25, size=(2, 2, 6)))
    found = patches_at(index, pictures, corners, side=7, patch=3, free=200)
    assert found.shape == (2, 2, 6, 27) and found.dtype == torch.float32
    for b in range(2):
        for t in range(2):
            canvas = np.full((7, 7, 3), 200)
            row, column = corners[b, t].tolist()
            canvas[row : row + 4, column : column + 4] = pictures[b].numpy()
            for k in range(6):
                first, left = divmod(index[b, t, k].item(), 5)
                for channel in range(3):
                    for i in range(3):
                        for j in range(3):
                            value = canvas[first + i, left + j, channel] / 255 - 0.5
                            place = channel * 9 + i * 3 + j
                            assert found[b, t, k, place].item() == pytest.approx(value, abs=1e-6)


def test_a_canvas_is_free_but_for_the_picture() -> None:
    pictures = torch.full((1, 2, 2, 1), 7, dtype=torch.uint8)
    canvas = painted(pictures, torch.tensor([[[1, 2]]]), side=5, free=255)[0, 0, :, :, 0]
    assert (canvas[1:3, 2:4] == 7).all() and (canvas == 255).sum() == 21


@pytest.mark.parametrize(
    ("regime", "context_steps", "contexts", "most"),
    [("sparse", 5, (100, 100), 151), ("transfer", 3, (300, 350), 351)],
)
def test_batches_have_the_papers_sizes(
    regime: str, context_steps: int, contexts: tuple[int, int], most: int
) -> None:
    data = RenderedFaces(regime=regime, **SMALL)
    data.setup()
    assert (data.sequence_length, data.test_length, data.patch_shape) == (6, 6, (3, 8, 8))
    for split in ("train", "test"):
        batch = data.dataset(split).__getitems__([0, 1, 2])
        known = batch.context_mask.sum(2)
        assert ((known > 0).sum(1) == context_steps).all()
        assert contexts[0] <= known[known > 0].min() and known.max() <= contexts[1]
        assert batch.target_y.shape == (3, 6, most, 192)
        assert (batch.target_mask.sum(2) > known).all() and batch.target_mask.sum(2).max() <= most
        # The context comes first among the targets, and is what was seen.
        assert torch.equal(batch.target_seen.sum(2), known)
        for b, t in ((0, 0), (2, 5)):
            n = known[b, t]
            assert torch.equal(batch.target_y[b, t, :n], batch.context_y[b, t, :n])
            assert torch.equal(batch.target_x[b, t, :n], batch.context_x[b, t, :n])
            assert batch.target_seen[b, t, :n].all() and not batch.target_seen[b, t, n:].any()
        places = (batch.target_x[batch.target_mask] + 1) * 72 / 2
        torch.testing.assert_close(places, places.round(), atol=1e-4, rtol=0)
        assert places.min() == 0 and 71.5 < places.max() <= 72.001
    if regime == "transfer":
        assert (known[:, :3] > 0).all()


def test_patches_of_a_step_fit_together_and_the_face_moves() -> None:
    """What two patches both show is the same; from step to step the face is elsewhere."""
    data = RenderedFaces(regime="transfer", **SMALL)
    data.setup()
    batch = data.dataset("test").__getitems__([1])
    canvas = torch.full((3, 80, 80), torch.nan)
    places = ((batch.target_x[0, 0] + 1) * 36).round().long()[batch.target_mask[0, 0]]
    for (row, column), patch in zip(places.tolist(), batch.target_y[0, 0], strict=False):
        window = canvas[:, row : row + 8, column : column + 8]
        shown = patch.view(3, 8, 8)
        assert (window.isnan() | (window == shown)).all()
        canvas[:, row : row + 8, column : column + 8] = shown
    assert (~canvas.isnan()).float().mean() > 0.9
    moves = (batch.task[0].diff(dim=0) * 79 / 2).norm(dim=1)
    assert moves.max() > 5


def test_tiles_are_the_canvas() -> None:
    data = RenderedFaces(**SMALL)
    data.setup()
    dataset = data.dataset("test")
    tiled, drawn = dataset.tiled(2), dataset[2]
    assert torch.equal(tiled.context_y, drawn.context_y) and tiled.target_y.shape == (6, 100, 192)
    canvases = canvases_of(tiled.target_y, data.patch_shape)
    assert canvases.shape == (6, 3, 80, 80)
    for t in range(6):
        places = ((drawn.target_x[t] + 1) * 36).round().long()[drawn.target_mask[t]]
        for (row, column), patch in zip(places.tolist(), drawn.target_y[t], strict=False):
            window = canvases[t, :, row : row + 8, column : column + 8]
            torch.testing.assert_close(window, patch.view(3, 8, 8))
    shown = covered(drawn.context_x, drawn.context_mask, 80, 8)
    assert shown.shape == (6, 80, 80)
    share = shown.float().mean((1, 2))
    assert ((share > 0.5) == (drawn.context_mask.any(1))).all() and share.max() < 0.9


def test_the_mean_canvas_averages_over_places() -> None:
    """On each axis a picture of 3 on a canvas of 5 starts at 0, 1 or 2: at walls half as often."""
    picture = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (3, 3, 2))).float()
    expected = torch.zeros(5, 5, 2)
    for row, high in enumerate((0.25, 0.5, 0.25)):
        for column, wide in enumerate((0.25, 0.5, 0.25)):
            corner = torch.tensor([[[row, column]]])
            expected += high * wide * painted(picture[None], corner, side=5, free=255)[0, 0]
    torch.testing.assert_close(mean_canvas(picture, side=5, free=255), expected)


def test_guesses_are_those_of_one_who_knows_the_mean_face() -> None:
    """Half the squared error of a patch is 2.7 where the place is known, and else 4.75."""
    data = RenderedFaces(regime="transfer", **{**SMALL, "test_size": 40})
    data.setup()
    batch = data.dataset("test").__getitems__(range(40))
    real = batch.target_mask
    found = {
        name: (0.5 * (guess - batch.target_y).square().sum(-1))[real].mean().item()
        for name, guess in data.guesses(batch).items()
    }
    assert found == {
        "mean_face": pytest.approx(2.69, rel=0.02),
        "mean_canvas": pytest.approx(4.75, rel=0.02),
    }
    # If all faces are the same, its position determines everything.
    data = RenderedFaces(**SMALL)
    data.setup()
    for split in ("train", "test"):
        data.dataset(split).pictures = np.repeat(data.dataset("val").pictures[:1], 3, axis=0)
    batch = data.dataset("test").__getitems__([0, 1, 2])
    guess, real = data.guesses(batch)["mean_face"], batch.target_mask
    torch.testing.assert_close(guess[real], batch.target_y[real], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"canvas_size": 84}, "canvas_size must be a multiple of 8, got 84"),
        ({"most_points": 5_330}, "most_points must be at most 5329, got 5330"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RenderedFaces(**settings)
