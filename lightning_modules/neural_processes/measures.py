"""Measures of neural processes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import FunctionDataModule
from datamodules.sources import Split
from lightning_modules.declarations import SHARE, Family, Measure, StepCurve
from lightning_modules.measures import Measures
from lightning_modules.metrics.key_places import key_measurements
from lightning_modules.metrics.overlap import overlap_measurements
from lightning_modules.metrics.patch_error import patch_measurements
from lightning_modules.metrics.step_means import Measurement, StepSums, Summary
from lightning_modules.metrics.target_nll import summarise_targets, target_measurements
from lightning_modules.neural_processes.predictions import moved, places_of_keys
from lightning_modules.neural_processes.probes import FunctionProbes

if TYPE_CHECKING:
    from lightning_modules.neural_processes.neural_process import NeuralProcess

NATS = "nats per target"
KNOWN_OPTIMUM, DIGITS = ("DriftingFunctions",), ("MovingDigits",)
MOVING = ("MovingDigits", "MovingFaces")
#: Test sequences whose imaginary keys are tracked.
TRACKED_SEQUENCES = 128
PATCHES = ("RenderedFaces",)


def _gap(of: str, header: str = "", perfect: float | None = None) -> Measure:
    return Measure(
        f"gap_{of}",
        f"how far `{of}` is above the optimum, which knows the kernels",
        NATS,
        "lower",
        header=header,
        benchmarks=KNOWN_OPTIMUM,
        gathered=False,
        perfect=perfect,
    )


FAMILY = Family(
    name="neural processes",
    criterion="nll",
    measures=(
        Measure(
            "nll",
            "minus the log of the samples' mean density of a target, each target by itself",
            NATS,
            "lower",
            header="NLL",
            headline=2,
        ),
        Measure(
            "nll_with_context",
            "`nll` of steps with a context",
            NATS,
            "lower",
            header="with context",
        ),
        Measure(
            "nll_without_context",
            "`nll` of steps without a context",
            NATS,
            "lower",
            header="without context",
        ),
        Measure("nll_seen", "`nll` of targets that are in their step's context", NATS, "lower"),
        Measure(
            "nll_unseen",
            "`nll` of targets that are not in their step's context",
            NATS,
            "lower",
            header="unseen",
        ),
        Measure(
            "nll_joint",
            "the same of all targets of a step together, divided by their number",
            NATS,
            "lower",
        ),
        Measure(
            "nll_one_sample", "`nll` of the first sample alone, as in the paper", NATS, "lower"
        ),
        Measure(
            "nll_posterior",
            "the same given a sample of the latents that saw the targets",
            NATS,
            "lower",
        ),
        Measure(
            "latent_gain",
            "`nll_one_sample` minus `nll_posterior`: what the latents tell of the targets; 0 if "
            "they are not used",
            NATS,
            gathered=False,
        ),
        Measure(
            "patch_error",
            "half the squared error of a patch, summed over its values, given one sample of the "
            "latents",
            "squared intensities",
            "lower",
            header="patch error",
            headline=1,
            benchmarks=PATCHES,
            perfect=0.0,
        ),
        Measure(
            "patch_error_seen",
            "`patch_error` of patches that are in their step's context",
            "squared intensities",
            "lower",
            benchmarks=PATCHES,
            from_zero=True,
        ),
        Measure(
            "patch_error_unseen",
            "`patch_error` of patches that are not in their step's context",
            "squared intensities",
            "lower",
            header="patch error, unseen",
            benchmarks=PATCHES,
            from_zero=True,
        ),
        Measure(
            "patch_error_mean_face",
            "`patch_error` of the mean training face at the true place, instead of a model",
            "squared intensities",
            header="of the mean face",
            benchmarks=PATCHES,
            from_zero=True,
        ),
        Measure(
            "patch_error_mean_canvas",
            "`patch_error` of the mean training face, averaged over all places that it may have",
            "squared intensities",
            header="of the mean canvas",
            benchmarks=PATCHES,
            from_zero=True,
        ),
        _gap("nll", "gap to optimum", perfect=0.0),
        _gap("nll_with_context"),
        _gap("nll_without_context"),
        _gap("nll_seen"),
        _gap("nll_unseen"),
        Measure(
            "gap_inferred_nll",
            "how far `nll` is above the NLL with kernels inferred from the contexts; reported "
            "after `cli.py oracle`, if its estimate can be trusted",
            NATS,
            "lower",
            header="gap to inference",
            benchmarks=KNOWN_OPTIMUM,
            gathered=False,
        ),
        Measure(
            "overlap",
            "intersection over union of the inked pixels (darker than half) of the predicted mean "
            "and of the truth",
            SHARE,
            "higher",
            benchmarks=DIGITS,
        ),
        Measure(
            "overlap_without_context",
            "`overlap` in steps without a context",
            SHARE,
            "higher",
            benchmarks=DIGITS,
        ),
        Measure(
            "overlap_late",
            "`overlap_without_context` in the second half of the sequence (after t = 25 of 50)",
            SHARE,
            "higher",
            header="overlap, late",
            benchmarks=DIGITS,
            gathered=False,
        ),
        Measure(
            "overlap_without_context_one_sample",
            "`overlap_without_context` given one sample of the latents, as in the paper: where "
            "the latents hold what the memory does not, the mean of many samples is a blur, while "
            "each sample is a picture",
            SHARE,
            "higher",
            benchmarks=DIGITS,
        ),
        Measure(
            "overlap_late_one_sample",
            "`overlap_late` given one sample of the latents",
            SHARE,
            "higher",
            benchmarks=DIGITS,
            gathered=False,
        ),
        Measure(
            "key_r2",
            "R^2 of the place of an imaginary key, regressed on the place of the moving picture's "
            "centre over the steps of the first 128 test sequences; mean over the keys of an RMR",
            SHARE,
            benchmarks=MOVING,
            gathered=False,
        ),
        Measure(
            "key_r2_best",
            "`key_r2` of the best key: 1 for one that keeps to a point of the picture, 0 for keys "
            "that stand still or move without it",
            SHARE,
            header="best key's R^2",
            benchmarks=MOVING,
            gathered=False,
        ),
        Measure(
            "key_gain_best",
            "how far the key with the best R^2 moves when the picture moves by 1",
            "-",
            benchmarks=MOVING,
            gathered=False,
        ),
        Measure(
            "keys_at_walls",
            "share of imaginary keys that are within two pixels of the canvas's edge, inside or "
            "outside, in these sequences",
            SHARE,
            header="keys at walls",
            benchmarks=MOVING,
            gathered=False,
        ),
        Measure(
            "mse",
            "squared error of the mixture's mean, averaged over dimensions of y",
            "squared units of y",
            "lower",
            header="MSE",
            digits=4,
            perfect=0.0,
        ),
        Measure(
            "squared_z",
            "squared error of the mixture's mean over the mixture's variance: 1 for widths that "
            "are right, more for predictions that are too sure",
            "-",
            header="squared z",
            from_zero=True,
        ),
        Measure(
            "gap_squared_z",
            "`squared_z` minus that of the optimum, whose width is at least 0.1, like the models': "
            "0 for a model that is as well calibrated",
            "-",
            benchmarks=KNOWN_OPTIMUM,
            gathered=False,
        ),
        Measure(
            "reconstruction",
            "log p(y given z_t and reads) of all targets of a step, z_t from the posterior",
            "nats per step",
            "higher",
        ),
        Measure(
            "kl",
            "KL of the posterior from the prior, with that of the keys that a stochastic RMR draws",
            "nats per step",
            from_zero=True,
        ),
        Measure(
            "bound",
            "variational lower bound of a sequence: `reconstruction` minus `kl`, summed over steps",
            "nats per sequence",
            "higher",
            gathered=False,
        ),
    ),
    curves=(
        StepCurve("nll", "target-NLL (nats per target)"),
        StepCurve("kl", "KL of posterior from prior (nats per step)", from_zero=True),
    ),
    share="context_share",
    share_label="steps with a context",
    optimum="optimal_nll",
    optimum_label="optimum (knows the kernels)",
    memoryless=("NoMemory", "NP"),
)


class FunctionMeasures(Measures):
    """Measures of the targets' NLL under the prior, by groups of steps and targets; the bound."""

    family = FAMILY
    probes = FunctionProbes()

    def measure(
        self, model: "NeuralProcess", batch: FunctionSequences
    ) -> Mapping[str, Measurement]:
        """Predict the targets from the contexts, then infer the latents from both."""
        samples = model.test_samples if model.trainer.testing else model.validation_samples
        scores, inferred = model.score(batch, samples)
        measured = target_measurements(scores, model.bound(batch, inferred), batch)
        if model.benchmark is not None and model.benchmark.asks_for_inked_pictures:
            measured |= overlap_measurements(scores.mean, scores.one_mean, batch)
        if model.benchmark is not None and model.benchmark.patch_shape:
            guesses = model.benchmark.guesses(batch)
            measured |= patch_measurements(scores.one_mean, batch, guesses)
        return measured

    def summarise(self, model: "NeuralProcess", sums: Mapping[str, StepSums]) -> Summary:
        """Average over sequences, and compare with the optimum if the whole set was measured."""
        data, testing = model.benchmark, model.trainer.testing
        split: Split = "test" if testing else "val"
        # The optimum is an average over the whole set, not comparable with that of a part.
        if data is None or int(sums["nll"].sequences.max()) < len(data.dataset(split)):
            summary = summarise_targets(sums)
        else:
            inferred = data.inferred_nll() if testing else {}
            summary = summarise_targets(sums, data.optimal_nll(split), inferred)
        if data is not None and testing and data.canvas_shape is not None:
            summary.scalars.update(track_keys(model, data))
        return summary


def track_keys(model: "NeuralProcess", data: FunctionDataModule[Any]) -> dict[str, Tensor]:
    """Measure how imaginary keys follow the pictures of the first test sequences.

    The memories are written once more, with a single target per step: a small part of a test.

    Args:
        model: the model, in evaluation mode.
        data: the data module of moving pictures, set up.

    Returns:
        As `key_measurements`; empty for a memory without imaginary keys.
    """
    dataset, batch_size = data.dataset("test"), data.hparams["eval_batch_size"]
    count = min(TRACKED_SEQUENCES, len(dataset))
    keys, centres = [], []
    for first in range(0, count, batch_size):
        batch = moved(dataset.__getitems__(range(first, min(first + batch_size, count))), model)
        batch = batch._replace(
            target_x=batch.target_x[:, :, :1],
            target_y=batch.target_y[:, :, :1],
            target_mask=batch.target_mask[:, :, :1],
            target_seen=batch.target_seen[:, :, :1],
        )
        with torch.no_grad():
            snapshot = model.recall(batch, with_targets=False, noise=model.noise(batch)).snapshot
        places = places_of_keys(model, snapshot, data.x_size)
        if places is None:
            return {}
        keys.append(places.flatten(0, 1))
        centres.append(batch.task.flatten(0, 1))
    measured = key_measurements(torch.cat(keys), torch.cat(centres))
    return {name: value.float().to(model.device) for name, value in measured.items()}
