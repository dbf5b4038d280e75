"""Error of rendered patches, in the unit of table 2 of Yoon et al. 2020.

The table says "target-NLL" and nothing of a likelihood. The code that its TGQN is from has half the
squared error of a patch, summed over its values, which is the NLL of a Gaussian of sigma 1 without
its constant; only so, and in multiples of it, are the table's numbers possible. Other readings are
conversions: over 0.49 (sigma 0.7), twice (no half), four times (pixels in [-1, 1]), six times
(summed over steps); with the constant, 0.919 more for each value.
"""

from torch import Tensor

from datamodules.points.batch import FunctionSequences
from lightning_modules.metrics.step_means import Measurement
from lightning_modules.metrics.target_nll import mean_over


def patch_measurements(mean: Tensor, batch: FunctionSequences) -> dict[str, Measurement]:
    """Halve the squared errors of patches, and average over targets: all, seen and unseen ones.

    Args:
        mean: what is rendered, given one sample of the latents, [B, T, M, Dy].
        batch: the truth.
    """
    error = 0.5 * (mean - batch.target_y).square().sum(-1)
    real, seen = batch.target_mask, batch.target_seen
    return {
        "patch_error": mean_over(error, real),
        "patch_error_seen": mean_over(error, seen),
        "patch_error_unseen": mean_over(error, real & ~seen),
    }
