"""Target NLL of a fixed set per step, with inferred kernels (`kernel_inference.py`).

It takes minutes, so tests do not compute it: the command `oracle` does, once for all models, and
stores the result beside `optimal_nll`'s, in a file named by the set's hash. A result that has not
converged is not a bound: it is stored for information, but models are not compared with it.

A subset of the sequences and targets is enough: the excess NLL of inferred over known kernels is
averaged on the same targets, and the optimum of the whole set is added.
"""

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
from datamodules.points.gaussian_process.kernel_inference import KernelInference
from datamodules.points.gaussian_process.kernel_prior import coordinates, paths
from datamodules.points.gaussian_process.optimal_nll import plain, read, tensors, write
from datamodules.points.gaussian_process.oracle import nll, predict

#: Independent runs for each sequence.
RUNS = 2
#: Number of paths from the prior whose extremes, widened by `MARGIN`, bound the table.
PATHS, MARGIN = 20_000, 1.1
#: Minimum number of effective samples for a mixture to count as the posterior.
LEAST_SAMPLES = 10
#: Maximum difference of the runs' mean NLLs, in nats per target, for them to count as agreeing.
MOST_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Inference:
    """Settings of kernel inference (`datamodules.points.gaussian_process.kernel_inference`).

    Raises:
        ValueError: a number is out of range.
    """

    particles: int = 96
    """Number of kernels per sequence."""
    sequences: int = 48
    """Number of test sequences, from the first; at most all."""
    targets: int = 10
    """Number of targets per step, drawn at random."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        require_at_least(2, particles=self.particles)
        require_at_least(1, sequences=self.sequences, targets=self.targets)


class InferredNLL(NamedTuple):
    """NLL on a fixed set with kernels inferred from the contexts."""

    curves: dict[str, Tensor]
    """``nll`` in nats per target and ``effective_samples``, means over sequences, float32 [T]."""
    difference: float
    """Difference of the two runs' mean NLLs, in nats per target: the error of the inference."""
    sampling_error: float
    """Standard error over sequences of the distance to the optimum, in nats per target."""
    least_samples: float
    """Fewest effective samples of a sequence at a step."""

    @property
    def doubt(self) -> str:
        """Why this is not a bound; empty if it is one."""
        if not self.least_samples >= LEAST_SAMPLES:
            return f"{self.least_samples:.1f} effective samples, below {LEAST_SAMPLES}"
        if not self.difference <= MOST_DIFFERENCE:
            return f"the runs differ by {self.difference:.3f} nats, more than {MOST_DIFFERENCE}"
        return ""


def keep_inferred_nll(
    dataset: FunctionDataset, inference: Inference, optimal: Tensor, path: Path
) -> InferredNLL:
    """Compute the inferred NLL, and store it for `inferred_nll`.

    Args:
        dataset: the test set.
        inference: numbers of particles, sequences and targets.
        optimal: NLL with known kernels over the whole set, [T].
        path: file of the result.
    """
    result = infer_nll(dataset, inference, optimal)
    content = {"inference": asdict(inference), "is_bound": not result.doubt} | result._asdict()
    write(path, content | {"curves": plain(result.curves)})
    return result


def inferred_nll(path: Path) -> dict[str, Tensor]:
    """Read the stored `InferredNLL.curves`; empty if there are none or they are not a bound.

    A damaged file counts as none.
    """
    content = read(path)
    # Files of earlier versions, whose results were not bounds, lack this key.
    return tensors(content["curves"]) if content.get("is_bound", False) else {}


def infer_nll(dataset: FunctionDataset, inference: Inference, optimal: Tensor) -> InferredNLL:
    """Compute what `keep_inferred_nll` stores."""
    recipe, table = dataset.recipe, factor_table(dataset)
    generator = torch.Generator().manual_seed(dataset.seed)
    count = min(inference.sequences, len(dataset))
    above, samples = [], []
    for number in range(count):
        if number % 8 == 0:
            print(f"Sequence {number + 1:,} of {count:,}", flush=True)
        sequence = thinned(dataset.__getitems__([number]), inference.targets, generator)
        exact = predict(sequence, recipe.grid)
        optimum = nll(sequence.target_y[..., 0].double(), exact.mean, exact.variance)[0]
        runs = [
            KernelInference(recipe.drift, table, sequence, generator).run(inference.particles)
            for _ in range(RUNS)
        ]
        real = sequence.target_mask[0]
        distance = torch.stack([run.nll for run in runs]) - optimum
        above.append(distance.masked_fill(~real, 0).sum(2) / real.sum(1))
        samples.append(torch.stack([run.effective_samples for run in runs]))
    return _summary(torch.stack(above, 1), torch.stack(samples, 1), optimal)


def _summary(above: Tensor, samples: Tensor, optimal: Tensor) -> InferredNLL:
    """Average distances to the optimum and effective samples, [RUNS, B, T]."""
    repeated, alone = above.mean((1, 2)), above.mean((0, 2))
    return InferredNLL(
        curves={
            "nll": optimal + above.mean((0, 1)).to(optimal),
            "effective_samples": samples.mean((0, 1)).to(optimal),
        },
        difference=(repeated.max() - repeated.min()).item(),
        sampling_error=(alone.std(correction=0) / len(alone) ** 0.5).item(),
        least_samples=samples.min().item(),
    )


def factor_table(dataset: FunctionDataset) -> FactorTable:
    """Tabulate factors of all kernels that a set's sequences may have."""
    drift, steps = dataset.recipe.drift, dataset.recipe.points.sets.steps
    generator = torch.Generator().manual_seed(0)
    candidates = paths(drift, coordinates(drift, PATHS, steps, generator))
    low, high = candidates.amin((0, 1)) / MARGIN, candidates.amax((0, 1)) * MARGIN
    return FactorTable(low.clamp_min(FLOOR), high, dataset.recipe.grid)


def thinned(
    batch: FunctionSequences, targets: int, generator: torch.Generator
) -> FunctionSequences:
    """Keep at most `targets` targets of each step, drawn at random from the real ones."""
    keys = torch.rand(batch.target_mask.shape, generator=generator)
    index = keys.masked_fill(~batch.target_mask, 2).argsort(2)[..., :targets]
    return batch._replace(
        target_x=batch.target_x.take_along_dim(index.unsqueeze(3), 2),
        target_y=batch.target_y.take_along_dim(index.unsqueeze(3), 2),
        target_mask=batch.target_mask.take_along_dim(index, 2),
        target_seen=batch.target_seen.take_along_dim(index, 2),
    )
