"""Target-NLL of a fixed set, step by step, of one who infers the kernels (`kernel_inference.py`).

It takes minutes, so no test computes it: a command does, once for all models, and the result is
kept beside `optimal_nll`'s, in a file named by the set's hash. What has not converged is no bound:
it is kept for its reader, and no model is compared with it.

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
from datamodules.points.gaussian_process.kernel_inference import KernelInference
from datamodules.points.gaussian_process.kernel_prior import coordinates, paths
from datamodules.points.gaussian_process.optimal_nll import plain, tensors, write
from datamodules.points.gaussian_process.oracle import nll, predict

#: Independent runs for each sequence.
RUNS = 2
#: Paths from the prior whose extremes, widened by `MARGIN`, are the table's.
TRIED, MARGIN = 20_000, 1.1
#: Fewest effective samples with which a mixture counts as the posterior.
LEAST_SAMPLES = 10
#: Largest difference of the runs' mean NLLs, in nats per target, with which they count as agreeing.
MOST_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Inference:
    """Settings of inference of kernels (`datamodules.points.gaussian_process.kernel_inference`).

    Raises:
        ValueError: a number is out of range.
    """

    particles: int = 96
    """Kernels of each sequence."""
    sequences: int = 48
    """Test sequences, from the first; all where there are fewer."""
    targets: int = 10
    """Targets of each step, drawn at random from all."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        require_at_least(2, particles=self.particles)
        require_at_least(1, sequences=self.sequences, targets=self.targets)


class InferredNLL(NamedTuple):
    """NLL on a fixed set where the kernels are inferred from the contexts."""

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
        """Say why this is no bound; empty where it is one."""
        if not self.least_samples >= LEAST_SAMPLES:
            return f"{self.least_samples:.1f} effective samples, below {LEAST_SAMPLES}"
        if not self.difference <= MOST_DIFFERENCE:
            return f"the runs differ by {self.difference:.3f} nats, more than {MOST_DIFFERENCE}"
        return ""


def keep_inferred_nll(
    dataset: FunctionDataset, how: Inference, optimal: Tensor, kept: Path
) -> InferredNLL:
    """Compute what `inferred_nll` finds in the file, and write it there.

    Args:
        dataset: the test set.
        how: numbers of particles, sequences and targets.
        optimal: NLL of one who knows the kernels, over the whole set, [T].
        kept: file of the result.
    """
    found = infer_nll(dataset, how, optimal)
    content = {"inference": asdict(how), "is_bound": not found.doubt} | found._asdict()
    write(kept, content | {"curves": plain(found.curves)})
    return found


def inferred_nll(kept: Path) -> dict[str, Tensor]:
    """Read `InferredNLL.curves` that were kept; empty where there are none or they are no bound."""
    content = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    # Files of former versions, whose figures were no bounds, do not have the word.
    return tensors(content["curves"]) if content.get("is_bound", False) else {}


def infer_nll(dataset: FunctionDataset, how: Inference, optimal: Tensor) -> InferredNLL:
    """Compute what `keep_inferred_nll` keeps."""
    recipe, table = dataset.recipe, factor_table(dataset)
    generator = torch.Generator().manual_seed(dataset.seed)
    count = min(how.sequences, len(dataset))
    above, samples = [], []
    for number in range(count):
        if number % 8 == 0:
            print(f"Sequence {number + 1:,} of {count:,}", flush=True)
        sequence = thinned(dataset.__getitems__([number]), how.targets, generator)
        known = predict(sequence, recipe.grid)
        optimum = nll(sequence.target_y[..., 0].double(), known.mean, known.variance)[0]
        runs = [
            KernelInference(recipe.drift, table, sequence, generator).run(how.particles)
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
