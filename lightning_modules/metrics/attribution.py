"""Attribution of reads: how much what is read depends on each of the values that were stored.

The derivative of a read with respect to a stored value, times an arbitrary direction, has a norm.
Its share in the sum over all stored values is that value's attribution. For a core whose heads
average what was stored, a head's attributions are its weights, up to their sum. It needs no
slots: cores that make their cells anew in every step, or mix what they store, have it as well.

Only the memory core is unrolled again, under the controls that it had: what a value did to the
controller is not what the memory read. That takes the core's own steps, whether they are operators
or not; compiled loops and captured graphs are not used. Paths through which a core lets no gradient
pass (a DNC's usage) do not count.
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
    """Return the attribution of each step's item, [B, T]; all 0 where no value makes a difference.

    A direction at random, standard normal, makes the square of the norm an unbiased estimate of the
    squared Frobenius norm of the derivative of all that is read.

    Args:
        core: read with its own heads.
        controls: [B, T, control].
        items: one a step: keys [B, T, Dk], values [B, T, Dv], mask [B, T].
        directions: [B, T, C], what the derivatives of each step's read are multiplied by, and
            summed over steps. Of a single step where only that step's read is asked about.
        observed: [B, T, control], the posterior's controls, of a core that draws.
        noise: [B, T, noise_size], likewise.
    """
    # Evaluations run in inference mode, whose tensors know no gradients: the copies do.
    with torch.inference_mode(False), torch.enable_grad():
        keys, values, mask = (part.detach().clone() for part in items)
        controls, directions = controls.detach().clone(), directions.detach().clone()
        drawn = [None if part is None else part.detach().clone() for part in (observed, noise)]
        values.requires_grad_()
        state = core.initial_state(len(controls), like=controls)
        found = controls.new_zeros(())
        for t, control in enumerate(controls.unbind(1)):
            item = Items(keys[:, t : t + 1], values[:, t : t + 1], mask[:, t : t + 1])
            at_t = (None if part is None else part[:, t] for part in drawn)
            reads, state, _ = core.write_and_read(state, control, item, *at_t)
            found = found + (reads * directions[:, t]).sum()
        if found.requires_grad:
            (gradient,) = torch.autograd.grad(found, values, allow_unused=True)
        else:
            gradient = None  # nothing is read
    if gradient is None:
        return torch.zeros_like(mask, dtype=controls.dtype)
    norms = gradient.float().norm(dim=2)
    return norms / norms.sum(1, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)
