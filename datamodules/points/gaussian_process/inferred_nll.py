"""Target-NLL of a fixed set, step by step, of one who infers the kernels (`kernel_inference.py`).

It takes minutes to hours, so no test computes it: a command does, once for all models, and the
result is kept beside `optimal_nll`'s, in a file named by the set's hash.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.loading.checks import require_at_least, require_positive
from datamodules.points.batch import FunctionSequences
from datamodules.points.gaussian_process.dataset import FunctionDataset
from datamodules.points.gaussian_process.kernel_inference import infer
from datamodules.points.gaussian_process.optimal_nll import plain, tensors, write

#: Sequences of a batch, for which a kernel is factorised once.
TOGETHER = 64
#: Keeps the generator of kernels apart from those of sequences.
SALT = 2


@dataclass(frozen=True)
class Inference:
    """Settings of inference of kernels (`datamodules.points.gaussian_process.kernel_inference`).

    Raises:
        ValueError: a number is out of range.
    """

    samples: int = 300
    """Kernels, the same for all sequences."""
    noise: float = 0.03
    """Standard deviation of the error that observations are assumed to have."""
    targets: int = 20
    """Targets of each step, drawn at random from all: enough for a mean over many sequences."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        require_at_least(1, samples=self.samples, targets=self.targets)
        require_positive(noise=self.noise)


def keep_inferred_nll(dataset: FunctionDataset, how: Inference, kept: Path) -> dict[str, Tensor]:
    """Compute what `inferred_nll` finds in the file, and write it there."""
    found = curves(dataset, how)
    write(kept, {"inference": asdict(how), "curves": plain(found)})
    return found


def inferred_nll(kept: Path) -> dict[str, Tensor]:
    """Read means over sequences that were kept, float32 [T]; empty where none were.

    Returns:
        ``nll`` of all targets, in nats; ``effective_samples`` of the kernels, from 1 to their
        number: where it is near 1, more samples would find another NLL.
    """
    return tensors(json.loads(kept.read_text(encoding="utf-8"))["curves"]) if kept.is_file() else {}


def curves(dataset: FunctionDataset, how: Inference) -> dict[str, Tensor]:
    """Compute what `inferred_nll` returns."""
    recipe, rng = dataset.recipe, np.random.default_rng([dataset.seed, SALT])
    paths = recipe.drift.paths(rng, how.samples, recipe.points.sets.steps)
    kernels, parts = torch.from_numpy(paths).float(), []
    generator = torch.Generator().manual_seed(dataset.seed)
    for first in range(0, len(dataset), TOGETHER):
        print(f"Sequence {first + 1:,} of {len(dataset):,}, {how.samples:,} kernels", flush=True)
        batch = dataset.__getitems__(range(first, min(first + TOGETHER, len(dataset))))
        batch = thinned(batch, how.targets, generator)
        found = infer(kernels, batch, recipe.grid, how.noise)
        real = batch.target_mask
        nll = found.nll.masked_fill(~real, 0).sum(2) / real.sum(2)
        parts.append({"nll": nll, "effective_samples": found.effective_samples})
    return {name: torch.cat([part[name] for part in parts]).mean(0) for name in parts[0]}


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
