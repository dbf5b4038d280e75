"""A training that was stopped goes on as if it had not been, to the bit."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor

from datamodules import SimilarityCuedRecall
from tests.whole_models.small_models import MODELS, SIZES, benchmark_for

#: Of every trainer here.
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Trained(NamedTuple):
    """What a training was, step by step."""

    losses: dict[int, float]
    episodes: list[int]
    epochs: list[int]
    validated: list[int]
    weights: dict[str, Tensor]


class Killed(Exception):
    """Ends a training at once."""


class Witness(L.Callback):
    """Notes what happens, and stops after a step."""

    def __init__(self, stop: int | None, folder: Path) -> None:
        self.stop, self.folder = stop, folder
        self.trained = Trained({}, [], [], [], {})

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.trained.losses[trainer.global_step] = outputs["loss"].item()
        self.trained.episodes.extend(batch.episode.tolist())
        self.trained.epochs.append(trainer.current_epoch)
        if trainer.global_step == self.stop:
            # As a kill would be, after a checkpoint: no validation, no end of an epoch.
            trainer.save_checkpoint(self.folder / "stopped.ckpt")
            raise Killed

    def on_validation_end(self, trainer, pl_module) -> None:
        self.trained.validated.append(trainer.global_step)


def train(
    name: str,
    folder: Path,
    stop: int | None = None,
    resume: Path | None = None,
    data: dict[str, Any] | None = None,
    save: bool = False,
    **settings: Any,
) -> Trained:
    torch.manual_seed(1 if resume is None else 2)  # a resumed run is to have the noise of the first
    model, witness = MODELS[name](), Witness(stop, folder)
    trainer = L.Trainer(
        **{"max_steps": 10, "val_check_interval": 4, "check_val_every_n_epoch": None, **settings},
        callbacks=[witness],
        **QUIET,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    benchmark = benchmark_for(name, **data or {})
    with suppress(Killed):
        trainer.fit(model, datamodule=benchmark, ckpt_path=resume, weights_only=False)
    if save:
        trainer.save_checkpoint(folder / "stopped.ckpt")
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    return witness.trained._replace(weights=weights)


def joined(first: Trained, second: Trained) -> Trained:
    return Trained(
        first.losses | second.losses,
        *(a + b for a, b in zip(first[1:4], second[1:4], strict=True)),
        second.weights,
    )


def require_equal(found: Trained, expected: Trained) -> None:
    assert found[:4] == expected[:4]
    assert found.weights.keys() == expected.weights.keys()
    for key, value in expected.weights.items():
        assert torch.equal(found.weights[key], value), key


@pytest.mark.parametrize("name", MODELS)
def test_a_resumed_training_equals_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    """It is stopped within an epoch, at its end, and where a validation is due."""
    whole = train(name, tmp_path)
    assert whole.epochs == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert whole.episodes == list(range(40))
    assert whole.validated == [4, 8]
    parts = train(name, tmp_path, stop=2)
    for stop in (3, 8, None):
        parts = joined(parts, train(name, tmp_path, stop, resume=tmp_path / "stopped.ckpt"))
    require_equal(parts, whole)


@pytest.mark.parametrize(
    ("settings", "data"),
    [
        ({"max_steps": -1, "max_epochs": 3}, {}),
        ({"max_steps": -1, "max_epochs": 3}, {"num_workers": 2}),
        ({"accumulate_grad_batches": 2}, {}),
        ({"val_check_interval": 1.0, "check_val_every_n_epoch": 2}, {}),
        ({"limit_train_batches": 2}, {}),
        ({}, {"batch_size": 20}),
    ],
)
def test_whatever_an_epoch_is(
    settings: dict[str, Any], data: dict[str, Any], tmp_path: Path
) -> None:
    whole = train("SNP", tmp_path, data=data, **settings)
    for first in (1, 2, 3, 4):
        before = train("SNP", tmp_path, first, data=data, **settings)
        after = train("SNP", tmp_path, None, tmp_path / "stopped.ckpt", data, **settings)
        require_equal(joined(before, after), whole)


def test_it_goes_through_the_stages_of_a_curriculum(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Training is stopped in the first stage, between two stages, and in the last one."""

    def staged(name: str, **settings: Any) -> SimilarityCuedRecall:
        return SimilarityCuedRecall(6, 2, source="mnist5k", **SIZES | settings)

    monkeypatch.setattr("tests.whole_models.test_exact_resume.benchmark_for", staged)
    stages = [{"batches": 3, "pre_recall_lengths": [4]}, {"batches": 4, "pre_recall_lengths": [5]}]
    data = {"curriculum": stages}
    whole = train("GTMM", tmp_path, data=data, limit_val_batches=0)
    plain = train("GTMM", tmp_path, limit_val_batches=0)
    assert whole.losses[1] != plain.losses[1]
    for first in (2, 3, 8):
        before = train("GTMM", tmp_path, first, data=data, limit_val_batches=0)
        resume = tmp_path / "stopped.ckpt"
        after = train("GTMM", tmp_path, None, resume, data, limit_val_batches=0)
        require_equal(joined(before, after), whole)


def test_more_steps_than_were_asked_for_at_first(tmp_path: Path) -> None:
    """Lightning counts an epoch as complete in which ``max_steps`` is reached."""
    whole = train("GTMM", tmp_path, max_steps=8)
    parts = train("GTMM", tmp_path, max_steps=4, save=True)
    after = train("GTMM", tmp_path, None, tmp_path / "stopped.ckpt", max_steps=8)
    require_equal(joined(parts, after), whole)


def test_overfitting_repeats_the_same_sequences_with_new_noise(tmp_path: Path) -> None:
    trained = train("SNP", tmp_path, overfit_batches=2, max_steps=5)
    assert trained.episodes == [*range(8), *range(8), *range(4)]
    assert len(set(trained.losses.values())) == 5


@pytest.mark.parametrize("name", ["GTMM", "SNP"])
def test_a_learning_rate_that_was_changed_is_what_trains(name: str, tmp_path: Path) -> None:
    """It wins over the checkpoint's, with a schedule and without."""

    def rates(rate: float, stop: int, resume: Path | None = None) -> list[float]:
        model, seen = MODELS[name](), []
        model.learning_rate = model.hparams["learning_rate"] = rate

        class Note(L.Callback):
            def on_train_batch_start(self, trainer: L.Trainer, *arguments: Any) -> None:
                seen.append(trainer.optimizers[0].param_groups[0]["lr"])
                trainer.should_stop = trainer.global_step + 1 == stop

        trainer = L.Trainer(
            max_steps=6,
            callbacks=[Note()],
            **QUIET,
            limit_val_batches=0,
            default_root_dir=tmp_path,
        )
        benchmark = benchmark_for(name)
        trainer.fit(model, datamodule=benchmark, ckpt_path=resume, weights_only=False)
        trainer.save_checkpoint(tmp_path / "a.ckpt")
        return seen

    expected = rates(0.03, stop=6)
    rates(0.01, stop=2)
    found = rates(0.03, stop=6, resume=tmp_path / "a.ckpt")
    assert found == pytest.approx(expected[2:], rel=1e-12)


def test_only_what_had_the_learning_rate_changes() -> None:
    """A group with a rate of its own keeps it; a schedule of a user's is not guessed at."""
    model = MODELS["GTMM"]()
    model.learning_rate = 0.03
    groups = [{"lr": 0.005, "initial_lr": 0.01}, {"lr": 1e-4, "initial_lr": 1e-4}]
    state: dict[str, Any] = {
        "hyper_parameters": {"learning_rate": 0.01},
        "optimizer_states": [{"param_groups": groups}],
        "lr_schedulers": [{"lr_lambdas": [None, None], "base_lrs": [0.01, 1e-4]}],
    }
    model._keep_rate(state)
    assert groups == [
        {"lr": pytest.approx(0.015), "initial_lr": 0.03},
        {"lr": 1e-4, "initial_lr": 1e-4},
    ]
    assert state["lr_schedulers"][0]["base_lrs"] == [0.03, 1e-4]
    state["lr_schedulers"] = [{"total_steps": 10, "base_lrs": [0.01]}]
    with pytest.raises(MisconfigurationException, match="is 0.03 here, 0.01 in the checkpoint"):
        model._keep_rate(state)
