"""Attribution of reads: how much a read depends on each stored value.

A stored value's attribution is the norm of the derivative of the read, projected on some direction,
with respect to that value, divided by the sum of these norms over all stored values. For a core
whose heads average stored values, a head's attributions are its normalised weights. Slots are not
needed: the attribution is also defined for cores that recompute their cells in every step, or mix
what they store.

Only the memory core is unrolled again, with the recorded controls: a value's effect on the
controller is not a read. This uses the core's own steps, as operators or in Python, but neither
compiled loops nor captured graphs. Paths without gradients in a core (a DNC's usage) do not count.
"""

import torch
from torch import Tensor

from memory_cores import Items, MemoryCore


def attributions(
    core: MemoryCore,
    controls: Tensor,
    items: Items,
    directions: Tensor,
    observed: Tensor | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Return the attribution of each step's item, [B, T]; all 0 if no value affects the reads.

    With standard normal directions, the squared norm is an unbiased estimate of the squared
    Frobenius norm of the reads' derivative.

    Args:
        core: a core with its own read heads.
        controls: [B, T, control].
        items: one per step: keys [B, T, Dk], values [B, T, Dv], mask [B, T].
        directions: [B, T, C], on which each step's read is projected before the sum over steps;
            0 at steps whose reads do not count.
        observed: [B, T, control], the posterior's controls, for a stochastic core.
        noise: [B, T, noise_size], likewise.
    """
    # Evaluations run in inference mode, whose tensors cannot have gradients: the copies can.
    with torch.inference_mode(False), torch.enable_grad():
        keys, values, mask = (part.detach().clone() for part in items)
        controls, directions = controls.detach().clone(), directions.detach().clone()
        for_core = [None if part is None else part.detach().clone() for part in (observed, noise)]
        values.requires_grad_()
        state = core.initial_state(len(controls), like=controls)
        projection = controls.new_zeros(())
        for t, control in enumerate(controls.unbind(1)):
            item = Items(keys[:, t : t + 1], values[:, t : t + 1], mask[:, t : t + 1])
            at_t = (None if part is None else part[:, t] for part in for_core)
            reads, state, _ = core.write_and_read(state, control, item, *at_t)
            projection = projection + (reads * directions[:, t]).sum()
        if projection.requires_grad:
            (gradient,) = torch.autograd.grad(projection, values, allow_unused=True)
        else:
            gradient = None  # nothing is read
    if gradient is None:
        return torch.zeros_like(mask, dtype=controls.dtype)
    norms = gradient.float().norm(dim=2)
    return norms / norms.sum(1, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)
