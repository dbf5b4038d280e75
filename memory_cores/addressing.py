"""Reading and writing shared by the cores. Batch first, a row of weights per head.

B sequences, H heads, N slots, W words per slot. Names and equations follow the Methods section of
Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory".
"""

import torch
from torch import Tensor

#: Inside norms and usage, as in the DNC's reference implementation: a memory of zeros must have
#: finite gradients.
EPSILON = 1e-6
#: Usages closer than this count as equal.
TIE = 2.0**-20


def content_weights(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Softmax over slots of the cosine similarity between slots and keys (``C(M, k, beta)``).

    Args:
        memory: [..., N, W].
        keys: [..., H, W].
        strengths: [..., H], non-negative; 0 gives a uniform weighting.

    Returns:
        weights: [..., H, N], each row sums to 1.
    """
    slot_norms = (memory.square().sum(-1) + EPSILON).sqrt()
    key_norms = (keys.square().sum(-1) + EPSILON).sqrt()
    scale = (strengths / key_norms).unsqueeze(-1) / slot_norms.unsqueeze(-2)
    return torch.softmax((keys @ memory.mT) * scale, dim=-1)


def usage_after_write(usage: Tensor, write_weights: Tensor) -> Tensor:
    """Usage [B, N] after the last step's writes [B, H, N]: a slot is used as much as written to."""
    return 1 - (1 - usage) * (1 - write_weights).prod(1)


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """What the free gates keep of each slot (``psi``): [B, R, N], [B, R] -> [B, N] in [0, 1]."""
    return (1 - free_gates.unsqueeze(2) * read_weights).prod(1)


def allocation_weights(usage: Tensor) -> Tensor:
    """Weighting that prefers the least used slots (``a_t``), [B, N] in [0, 1] -> [B, N].

    ``a[i] = (1 - u[i]) * product of u[j] over all slots j that are freer than i``. The paper sorts
    by usage; comparing all pairs gives the same numbers (ties go to the lower slot) and no sort.
    """
    usage = EPSILON + (1 - EPSILON) * usage
    this, other = usage.unsqueeze(2), usage.unsqueeze(1)
    slots = torch.arange(usage.shape[1], device=usage.device)
    earlier_slot = slots.unsqueeze(0) < slots.unsqueeze(1)
    freer = ((other < this) | ((other == this) & earlier_slot)).to(usage.dtype)
    log_product = (freer @ usage.log().unsqueeze(2)).squeeze(2)
    return (1 - usage) * log_product.exp()


def linked(link: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Temporal links after a write: ``L[i, j]`` is how surely slot i was written right after j.

    Args:
        link: [B, H, N, N], of the step before.
        precedence: [B, H, N], of the step before.
        write_weights: [B, H, N].

    Returns:
        link: [B, H, N, N] with a zero diagonal; rows and columns sum to at most 1.
    """
    written, before = write_weights.unsqueeze(3), write_weights.unsqueeze(2)
    link = (1 - written - before) * link + written * precedence.unsqueeze(2)
    return link - torch.diag_embed(link.diagonal(dim1=-2, dim2=-1))


def preceded(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """How surely each slot was the last one written, [B, H, N] (``p_t``)."""
    return (1 - write_weights.sum(-1, keepdim=True)) * precedence + write_weights


def erase_and_add(memory: Tensor, weights: Tensor, erase: Tensor, vectors: Tensor) -> Tensor:
    """Erase, then add, with all write heads at once.

    Args:
        memory: [B, N, W].
        weights: [B, H, N], where each head writes.
        erase: [B, H, W] in [0, 1].
        vectors: [B, H, W], what each head adds.
    """
    kept = (1 - weights.unsqueeze(3) * erase.unsqueeze(2)).prod(1)
    return memory * kept + weights.mT @ vectors


def least_used_slots(usage: Tensor, heads: int) -> Tensor:
    """One-hot weightings [B, H, N] of the H least used slots, the least used first.

    Ties go to the lower slot; where there are fewer slots than heads, they start over. Usages
    [B, N] that differ by less than ``TIE`` are ties: slots that were never written look alike, and
    the rounding of their weights must not choose between them.
    """
    order = torch.argsort((usage / TIE).round(), dim=1, stable=True)
    slots = torch.arange(usage.shape[1], device=usage.device)
    chosen = order[:, torch.arange(heads, device=usage.device) % usage.shape[1]]
    return (chosen.unsqueeze(2) == slots).to(usage.dtype)


def shifted(weights: Tensor, shifts: Tensor) -> Tensor:
    """Weights [B, H, N] moved by -1, 0 and +1 slots with weights [B, H, 3], in a circle."""
    back, stay, on = shifts.split(1, 2)
    return back * weights.roll(-1, 2) + stay * weights + on * weights.roll(1, 2)


def sharpened(weights: Tensor, sharpness: Tensor) -> Tensor:
    """Weights [B, H, N] to the power [B, H], at least 1, and normalised.

    The largest weight is divided out first, or all of them could underflow. It cancels, so it
    needs no gradient.
    """
    largest = weights.detach().amax(2, keepdim=True)
    powers = (weights / largest) ** sharpness.unsqueeze(2)
    return powers / powers.sum(2, keepdim=True)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis where ``mask`` is True; zeros where it is True nowhere."""
    lowest = torch.finfo(scores.dtype).min  # not -inf: rows without any True must stay finite
    return torch.softmax(scores.masked_fill(~mask, lowest), -1) * mask
