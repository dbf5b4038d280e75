"""Target-NLL of a fixed set, step by step, of one who infers the kernels (`kernel_inference.py`).

It takes minutes to hours, so no test computes it: a command does, once for all models, and the
result is kept beside `optimal_nll`'s, in a file named by the set's hash. What has not converged is
no bound: it is kept for its reader, and no model is compared with it.

A part of the sequences and of their targets is enough: what is averaged is how much more those who
infer the kernels pay than those who know them, on the same targets, and the optimum of the whole
set is added.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.loading.checks import require_at_least
from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.dataset import FunctionDataset
from datamodules.points.gaussian_process.factor_table import FactorTable
from datamodules.points.gaussian_process.kernel_drift import FLOOR
from datamodules.points.gaussian_process.kernel_inference import KernelInference, MixtureNLL
from datamodules.points.gaussian_process.kernel_prior import coordinates, paths
from datamodules.points.gaussian_process.optimal_nll import plain, tensors, write
from datamodules.points.gaussian_process.oracle import nll, predict

#: Sequences of a batch.
TOGETHER = 8
#: Paths from the prior whose extremes, widened by `MARGIN`, are the table's.
TRIED, MARGIN = 20_000, 1.1
#: Fewest effective samples with which a mixture counts as the posterior.
LEAST_SAMPLES = 10
#: Largest standard error over repetitions, in nats per target, of a mean that counts as converged.
MOST_ERROR = 0.01


@dataclass(frozen=True)
class Inference:
    """Settings of inference of kernels (`datamodules.points.gaussian_process.kernel_inference`).

    Raises:
        ValueError: a number is out of range.
    """

    particles: int = 64
    """Kernels of each sequence."""
    moves: int = 1
    """Pairs of Metropolis steps after each resampling."""
    repetitions: int = 2
    """Independent runs; how much they differ tells whether they have converged."""
    sequences: int = 64
    """Test sequences, from the first; all where there are fewer."""
    targets: int = 10
    """Targets of each step, drawn at random from all."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        require_at_least(2, particles=self.particles, repetitions=self.repetitions)
        require_at_least(1, moves=self.moves, sequences=self.sequences, targets=self.targets)


class InferredNLL(NamedTuple):
    """How one who infers the kernels fares on a fixed set."""

    curves: dict[str, Tensor]
    """``nll`` in nats per target and ``effective_samples``, means over sequences, float32 [T]."""
    error: float
    """Standard error over repetitions of the mean NLL, in nats per target."""
    sampling_error: float
    """Standard error over sequences of the distance to the optimum, in nats per target."""
    least_samples: float
    """Fewest effective samples of a sequence at a step."""
    acceptance: float
    """Share of the moves that were accepted."""

    @property
    def doubt(self) -> str:
        """Say why this is no bound; empty where it is one."""
        if not self.least_samples >= LEAST_SAMPLES:
            return f"{self.least_samples:.1f} effective samples, below {LEAST_SAMPLES}"
        if not self.error <= MOST_ERROR:
            return f"a standard error of {self.error:.3f} nats over repetitions, above {MOST_ERROR}"
        return ""


def keep_inferred_nll(
    dataset: FunctionDataset, how: Inference, optimal: Tensor, kept: Path
) -> InferredNLL:
    """Compute what `inferred_nll` finds in the file, and write it there.

    Args:
        dataset: the test set.
        how: numbers of particles, moves, repetitions, sequences and targets.
        optimal: NLL of one who knows the kernels, over the whole set, [T].
        kept: file of the result.
    """
    found = infer_nll(dataset, how, optimal)
    numbers = {name: value for name, value in found._asdict().items() if name != "curves"}
    content = {"inference": asdict(how), "is_bound": not found.doubt, **numbers}
    write(kept, content | {"curves": plain(found.curves)})
    return found


def inferred_nll(kept: Path) -> dict[str, Tensor]:
    """Read `InferredNLL.curves` that were kept; empty where there are none or they are no bound."""
    content = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    # Files of former versions, whose figures were no bounds, do not have the word.
    return tensors(content["curves"]) if content.get("is_bound", False) else {}


def infer_nll(dataset: FunctionDataset, how: Inference, optimal: Tensor) -> InferredNLL:
    """Compute what `keep_inferred_nll` keeps."""
    table = factor_table(dataset)
    generator = torch.Generator().manual_seed(dataset.seed)
    count = min(how.sequences, len(dataset))
    above, runs = [], []
    for first in range(0, count, TOGETHER):
        print(f"Sequence {first + 1:,} of {count:,}, {how.particles:,} particles", flush=True)
        batch = dataset.__getitems__(range(first, min(first + TOGETHER, count)))
        batch = thinned(batch, how.targets, generator)
        known = predict(batch, dataset.recipe.grid)
        least = nll(batch.target_y[..., 0].double(), known.mean, known.variance)
        inference = [
            KernelInference(dataset.recipe.drift, table, batch, how.moves, generator)
            for _ in range(how.repetitions)
        ]
        found = MixtureNLL(
            *(torch.stack(parts) for parts in zip(*(i.run(how.particles) for i in inference), strict=True))
        )
        real = batch.target_mask
        above.append((found.nll - least).masked_fill(~real, 0).sum(3) / real.sum(2))
        runs.append(found)
    return _summary(torch.cat(above, 1), runs, optimal)


def _summary(above: Tensor, runs: list[MixtureNLL], optimal: Tensor) -> InferredNLL:
    """Average distances to the optimum, [R, B, T]."""
    samples = torch.cat([run.effective_samples for run in runs], 1)
    repeated, alone = above.mean((1, 2)), above.mean((0, 2))
    return InferredNLL(
        curves={
            "nll": optimal + above.mean((0, 1)).to(optimal),
            "effective_samples": samples.mean((0, 1)).to(optimal),
        },
        error=(repeated.std() / len(repeated) ** 0.5).item(),
        sampling_error=(alone.std() / len(alone) ** 0.5).item(),
        least_samples=samples.min().item(),
        acceptance=torch.cat([run.acceptance for run in runs], 1).nanmean().item(),
    )


def factor_table(dataset: FunctionDataset) -> FactorTable:
    """Tabulate factors of all kernels that the sequences of a set may have."""
    drift, steps = dataset.recipe.drift, dataset.recipe.points.sets.steps
    generator = torch.Generator().manual_seed(0)
    tried = paths(drift, coordinates(drift, TRIED, steps, generator))
    low, high = tried.amin((0, 1)) / MARGIN, tried.amax((0, 1)) * MARGIN
    return FactorTable(low.clamp_min(FLOOR), high, dataset.recipe.grid)


def thinned(
    batch: FunctionSequences, targets: int, generator: torch.Generator
) -> FunctionSequences:
    """Keep at most so many targets of each step, drawn at random from the real ones."""
    keys = torch.rand(batch.target_mask.shape, generator=generator)
    chosen = keys.masked_fill(~batch.target_mask, 2).argsort(2)[..., :targets]
    return batch._replace(
        target_x=batch.target_x.take_along_dim(chosen.unsqueeze(3), 2),
        target_y=batch.target_y.take_along_dim(chosen.unsqueeze(3), 2),
        target_mask=batch.target_mask.take_along_dim(chosen, 2),
        target_seen=batch.target_seen.take_along_dim(chosen, 2),
    )
