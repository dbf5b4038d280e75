"""Addressing for reads and writes, shared by the cores. Batch first, one row of weights per head.

B sequences, H heads, N slots of width W. Names and equations follow the Methods section of
Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory".
"""

import functools

import torch
from torch import Tensor

#: Added inside norms and usage, as in the DNC's reference implementation: gradients must be
#: finite for a memory of zeros.
EPSILON = 1e-6
#: Usages closer than this count as equal.
TIE = 2.0**-20


def content_weights(
    memory: Tensor, keys: Tensor, strengths: Tensor, norms: Tensor | None = None
) -> Tensor:
    """Softmax over slots of their cosine similarity with keys (``C(M, k, beta)``).

    Args:
        memory: [..., N, W].
        keys: [..., H, W].
        strengths: [..., H], non-negative; 0 gives a uniform weighting.
        norms: [..., N], ``inverse_norms`` of the memory, if known.

    Returns:
        weights: [..., H, N], each row sums to 1.
    """
    norms = inverse_norms(memory) if norms is None else norms
    # Divide the keys and the product by the norms: dividing the memory would copy it.
    keys = keys * (strengths * inverse_norms(keys)).unsqueeze(-1)
    product = torch.bmm if keys.ndim == memory.ndim == 3 else torch.matmul  # bmm: no reshaping
    return torch.softmax(product(keys, memory.mT) * norms.unsqueeze(-2), dim=-1)


def inverse_norms(rows: Tensor) -> Tensor:
    """Return the inverse Euclidean norms [...] of rows [..., W]; finite for zeros."""
    return torch.rsqrt(rows.square().sum(-1) + EPSILON)


def product_over_heads(factors: Tensor) -> Tensor:
    """Multiply factors [B, H, ...] over H.

    Not ``Tensor.prod``: its gradient searches the data for zeros, which synchronises with the
    device, and it does not fuse with its neighbours.
    """
    if not factors.shape[1]:
        return factors.new_ones(len(factors), *factors.shape[2:])
    return functools.reduce(torch.mul, factors.unbind(1))


def usage_after_write(usage: Tensor, write_weights: Tensor) -> Tensor:
    """Update usage [B, N] by write weights [B, H, N], which add to it as probabilities do."""
    return 1 - (1 - usage) * product_over_heads(1 - write_weights)


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """Return the share [B, N] of each slot that free gates [B, R] keep (``psi``)."""
    return product_over_heads(1 - free_gates.unsqueeze(2) * read_weights)


def allocation_weights(usage: Tensor) -> Tensor:
    """Return allocation weights [B, N] (``a_t``), which prefer the least used slots.

    ``a[i] = (1 - u[i]) * product of u[j] over all slots j that are freer than i``; of equally used
    slots the lower one counts as freer. Sorting is faster than comparing all pairs even for nine
    slots.
    """
    usage, freest_first = (EPSILON + (1 - EPSILON) * usage).sort(dim=1, stable=True)
    log_usage = usage.log()
    # An exclusive cumulative product, in logs: the gradient of ``cumprod`` searches for zeros, too.
    log_product = log_usage.cumsum(1) - log_usage
    weights = (1 - usage) * log_product.exp()
    return torch.empty_like(weights).scatter(1, freest_first, weights)


def linked(link: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Update temporal links: ``L[i, j]`` is the degree to which slot i was written right after j.

    Args:
        link: [B, H, N, N], previous links.
        precedence: [B, H, N], previous precedence.
        write_weights: [B, H, N].

    Returns:
        link: [B, H, N, N] with a zero diagonal; rows and columns sum to at most 1.
    """
    written, before = write_weights.unsqueeze(3), write_weights.unsqueeze(2)
    link = (1 - written - before) * link + written * precedence.unsqueeze(2)
    diagonal = torch.eye(link.shape[-1], dtype=torch.bool, device=link.device)
    return link.masked_fill(diagonal, 0)


def preceded(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Return the degree to which each slot was the last one written, [B, H, N] (``p_t``)."""
    return (1 - write_weights.sum(-1, keepdim=True)) * precedence + write_weights


def erase_and_add(memory: Tensor, weights: Tensor, erase: Tensor, vectors: Tensor) -> Tensor:
    """Erase, then add, with all write heads together.

    Args:
        memory: [B, N, W].
        weights: [B, H, N], where each head writes.
        erase: [B, H, W] in [0, 1].
        vectors: [B, H, W], what each head adds.
    """
    kept = product_over_heads(1 - weights.unsqueeze(3) * erase.unsqueeze(2))
    return memory * kept + torch.bmm(weights.mT, vectors)


def least_used_slots(usage: Tensor, heads: int) -> Tensor:
    """Return one-hot weightings [B, H, N] of the H least used slots, the least used first.

    Ties go to the lower slot; with fewer slots than heads, slots repeat in turn. Usages [B, N] that
    differ by less than ``TIE`` are ties: rounding must not choose between slots that were never
    written.
    """
    slots = usage.shape[1]
    order = torch.argsort((usage / TIE).round(), dim=1, stable=True)
    index = order.repeat(1, -(-heads // slots))[:, :heads].unsqueeze(2)
    return usage.new_zeros(len(usage), heads, slots).scatter_(2, index, 1.0)


def shifted(weights: Tensor, shifts: Tensor) -> Tensor:
    """Shift weights [B, H, N] circularly by -1, 0 and +1 slots with probabilities [B, H, 3]."""
    back, stay, on = shifts.split(1, 2)
    moved = torch.addcmul(stay * weights, back, weights.roll(-1, 2))
    return torch.addcmul(moved, on, weights.roll(1, 2))


def sharpened(weights: Tensor, sharpness: Tensor) -> Tensor:
    """Raise weights [B, H, N] to powers [B, H], at least 1, and normalise them.

    Computed as a softmax of scaled logarithms, since powers of small weights underflow.
    """
    smallest = torch.finfo(weights.dtype).tiny  # not 0, whose logarithm has no finite gradient
    return torch.softmax(sharpness.unsqueeze(2) * weights.clamp(min=smallest).log(), 2)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the unmasked entries of the last axis; zeros in rows that are all masked."""
    lowest = torch.finfo(scores.dtype).min  # not -inf: fully masked rows must stay finite
    return torch.softmax(scores.masked_fill(~mask, lowest), -1) * mask
