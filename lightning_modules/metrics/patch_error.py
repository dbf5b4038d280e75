"""Error of rendered patches, in the unit of table 2 of Yoon et al. 2020.

The table says "target-NLL" and nothing of a likelihood. The code that its TGQN is from has half the
squared error of a patch, summed over its values, which is the NLL of a Gaussian of sigma 1 without
its constant; only so, and in multiples of it, are the table's numbers possible (docs/metrics.md).
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
        mean: what is rendered, given one sample of the latents, [B, T, M, Dy].
        batch: the truth.
        guesses: what a model should be better than, of the same shape; ``patch_error_<name>`` is
            the error of each on all targets.
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
