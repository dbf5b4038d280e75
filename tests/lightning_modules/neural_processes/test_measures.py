"""Measures of a validation and a test: numbers of samples, and the optimum they compare with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch.distributions import Normal

from datamodules import DriftingFunctions, FunctionSequences, MovingDigits
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.measures import track_keys
from lightning_modules.neural_processes.predictions import predict
from lightning_modules.noise import Purpose, sequence_noise
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES

SAMPLES = {"val": 3, "test": 7}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def data(tmp_path: Path) -> DriftingFunctions:
    return DriftingFunctions(
        regime="transfer",
        data_dir=str(tmp_path),
        sequence_length=4,
        context_steps=2,
        contexts=(1, 3),
        most_points=6,
        train_points=12,
        test_points=12,
        val_size=4,
        test_size=4,
        eval_batch_size=2,
        num_workers=0,
    )


def measured(split: str, model: NeuralProcess, data: DriftingFunctions, **limits) -> dict:
    """Return what a trainer logs of a split."""
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        **limits,
    )
    evaluate = trainer.test if split == "test" else trainer.validate
    (found,) = evaluate(model, data, verbose=False)
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("split", SAMPLES)
def test_the_nll_averages_over_as_many_samples_as_the_split_says(
    name: str, split: str, data: DriftingFunctions
) -> None:
    torch.manual_seed(0)
    counts = {"validation_samples": SAMPLES["val"], "test_samples": SAMPLES["test"]}
    model = MODELS[name](**SIZES, hidden_size=8, **counts)
    found = measured(split, model, data)
    values = []
    for number in range(2):
        batch = data.dataset(split).__getitems__([2 * number, 2 * number + 1])
        shape = SAMPLES[split], batch.context_mask.shape[1], model.noise_size
        noise = sequence_noise(batch.episode, shape, 0, Purpose.EVALUATION, 1, 0).transpose(0, 1)
        with torch.no_grad():
            drawn = (part.double() for part in model.predict(batch, SAMPLES[split], noise))
        density = Normal(*drawn).log_prob(batch.target_y.double()).exp()
        assert len(density) == SAMPLES[split]
        values.append([-density.mean(0).log().mean(), -density[0].log().mean()])
    nll, one_sample = torch.tensor(values).mean(0).tolist()
    assert found[f"{split}/nll"] == pytest.approx(nll, rel=1e-4)
    assert found[f"{split}/nll_one_sample"] == pytest.approx(one_sample, rel=1e-4)
    assert abs(nll - one_sample) > 0.01 * abs(nll), "else this test tells nothing"


def test_only_whole_sets_are_held_against_the_optimum(data: DriftingFunctions) -> None:
    model = MODELS["SNP"](**SIZES, hidden_size=8, test_samples=2)

    def gaps(split: str, **limits) -> set[str]:
        return {name for name in measured(split, model, data, **limits) if "gap" in name}

    groups = ("nll", "nll_with_context", "nll_without_context", "nll_seen", "nll_unseen")
    groups += ("squared_z",)
    for split in ("val", "test"):
        assert gaps(split, **{f"limit_{split}_batches": 1}) == set()
        assert gaps(split) == {f"{split}/gap_{name}" for name in groups}


OF_KEYS = {"key_r2", "key_r2_best", "key_gain_best", "keys_at_walls"}


def test_imaginary_keys_are_followed_in_tests_where_there_are_some(
    digits: MovingDigits, process: Callable[..., NeuralProcess]
) -> None:
    model = process(digits)
    found = {split: measured(split, model, digits) for split in ("val", "test")}
    assert {name for name in OF_KEYS if f"test/{name}" in found["test"]} == OF_KEYS
    assert not {name for name in OF_KEYS if f"val/{name}" in found["val"]}
    # Two sequences, whose keys pictures draw from the same memories.
    keys = torch.stack([predict(model, digits.dataset("test")[i], 0).keys for i in range(2)])
    at_walls = ((keys.abs().amax(-1) - 1).abs() <= 0.1).float().mean()
    assert found["test"]["test/keys_at_walls"] == pytest.approx(at_walls.item())
    sizes = SIZES | {"sequence_length": 6, "test_length": 6, "x_size": 2, "x_range": 1.0}
    assert track_keys(MODELS["ASNP-W"](**sizes, hidden_size=8), digits) == {}


def test_planted_keys_are_followed_at_their_scale(
    digits: MovingDigits, process: Callable[..., NeuralProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two keys keep to the centre, at 4 times the places that the data has; one stands at 0.98."""
    model = process(digits)
    assert model.place_scale == 4
    recall = model.recall

    def planted(batch: FunctionSequences, **options: Any) -> Any:
        recalled = recall(batch, **options)
        still = torch.full_like(batch.task, 0.98)
        places = torch.stack([batch.task, batch.task + 0.2, still], 2) * model.place_scale
        return recalled._replace(snapshot=recalled.snapshot._replace(places=places))

    monkeypatch.setattr(model, "recall", planted)
    found = {name: value.item() for name, value in track_keys(model, digits).items()}
    assert found == {
        "key_r2": pytest.approx(2 / 3, abs=1e-5),
        "key_r2_best": pytest.approx(1, abs=1e-5),
        "key_gain_best": pytest.approx(1, abs=1e-5),
        "keys_at_walls": pytest.approx(1 / 3, abs=1e-5),
    }
