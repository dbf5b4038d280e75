"""Pictures of rendered canvases: patches lie where they belong, and their spread is whole."""

from pathlib import Path

import pytest
import torch

from datamodules import RenderedFaces
from datamodules.sources import faces
from lightning_modules import TGQN
from lightning_modules.callbacks.pictures import evaluated
from lightning_modules.neural_processes.pictures import FunctionDrawings, rendered_images
from lightning_modules.neural_processes.predictions import predict


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RenderedFaces:
    monkeypatch.setattr(faces, "NUMBERS", {s: n[:3] for s, n in faces.NUMBERS.items()})
    sizes = {"train_size": 4, "val_size": 2, "test_size": 2, "contexts": (5, 5), "most_points": 9}
    data = RenderedFaces(data_dir=str(tmp_path), source="faces", num_workers=0, **sizes)
    data.setup()
    return data


def test_canvases_are_completed(data: RenderedFaces) -> None:
    torch.manual_seed(0)
    sizes = {"sequence_length": 6, "test_length": 6, "x_size": 2, "x_range": 1.0, "y_size": 192}
    model = TGQN(**sizes, patch_shape=(3, 8, 8), hidden_size=4, state_maps=4, renderer_maps=4)
    shown = evaluated(data, model, "val", 1)
    drawn = dict(FunctionDrawings().figures(model, data, shown, sequences=1, seed=0))
    assert set(drawn) == {"completion"}
    prediction = predict(model, data.dataset("val").tiled(0), seed=0)
    images = rendered_images(prediction, data.patch_shape)
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
    told = data.dataset("val")[0].context_mask.any(1)
    assert torch.equal(images.seen.flatten(1).any(1), told)
