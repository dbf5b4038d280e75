"""Error of rendered patches, in the unit of table 2 of Yoon et al. 2020.

The table says "target-NLL" without naming a likelihood. The code of its TGQN computes half the
squared error of a patch, summed over its values: the NLL of a Gaussian of sigma 1 without its
constant. The table's numbers are possible only in this unit, or multiples of it (docs/metrics.md).
"""

from collections.abc import Mapping

from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.metrics.step_means import Measurement
from lightning_modules.metrics.target_nll import mean_over


def patch_measurements(
    mean: Tensor, batch: FunctionSequences, guesses: Mapping[str, Tensor]
) -> dict[str, Measurement]:
    """Halve the squared errors of patches, and average over targets: all, seen and unseen ones.

    Args:
        mean: patches rendered from one sample of the latents, [B, T, M, Dy].
        batch: the truth.
        guesses: baselines of the same shape, by name; ``patch_error_<name>`` is the error of each
            on all targets.
    """
    real, seen = batch.target_mask, batch.target_seen

    def error(patches: Tensor) -> Tensor:
        return 0.5 * (patches.to(batch.target_y) - batch.target_y).square().sum(-1)

    rendered = error(mean)
    return {
        "patch_error": mean_over(rendered, real),
        "patch_error_seen": mean_over(rendered, seen),
        "patch_error_unseen": mean_over(rendered, real & ~seen),
        **{f"patch_error_{name}": mean_over(error(y), real) for name, y in guesses.items()},
    }
