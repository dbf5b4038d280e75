"""Dynamic Kanerva machine: a memory that is a distribution (Wu, Wayne, Gregor and Lillicrap 2018).

The memory M is a matrix normal with mean R and covariance U of its rows. A word z is w^T M plus
noise of variance sigma^2, for an address w that a ridge regression of the word on R finds:

    w = (R R^T + sigma^2 I)^-1 R z,   since an address is standard normal beforehand
    delta = z - w^T R,   s = w^T U w + sigma^2
    R <- R + (U w / s) delta^T,   U <- U - (U w)(U w)^T / s

which conditions M on the word. The words of a set are conditioned on together, with addresses from
the R before the step:

    U <- (U^-1 + W^T W / sigma^2)^-1,   R <- R + U W^T (Z - W R) / sigma^2     (with the new U)

A word is the code of a key beside its value. A read knows the code alone: its address is the ridge
regression on that part of R, and what it finds is the rest. M is integrated out, and addresses are
functions of words, so that there is no KL. With ``latent_addresses`` that of a read is the mean of
a Gaussian, of a prior that sees the control or a posterior that also sees the observation, and
their KL is in the bound.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels.dkm import complete, condition
from memory_cores.parts.associative_map import AssociativeMap, Coded
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.gaussian import DiagonalGaussian, kl_divergence
from memory_cores.parts.range import Range
from memory_cores.parts.solving import (
    FEW,
    exact_type,
    exactly,
    identity_like,
    solved,
    solved_by_columns,
)

#: Initial standard deviation of the noise. Its logarithm stays in this range, or regressions would
#: be ill-conditioned in single precision.
NOISE, LOG_NOISE = 0.3, Range(-2.0, 3.0)
#: Gain of the codes in words, which are of unit length beside values of length sqrt(V) or so.
CODE_GAIN = 4.0
#: Standard deviation of the values that the initial memory holds.
FAINT = 0.1
#: Logarithms of the standard deviation of a latent address: at the start, and most and least.
SPREAD, LOG_SPREAD = -3.0, (-6.0, 2.0)


class DKMState(NamedTuple):
    """B sequences, H memories of N slots, words of W numbers, codes of D places, R read heads.

    Without latent addresses there are none, [B, 0, N].
    """

    mean: Tensor  #: [B, H, N, W], R
    covariance: Tensor  #: [B, H, N, N], U
    addresses: Tensor  #: [B, R, N], drawn for the next read; [B, 0, N]
    code: Tensor  #: [B, H, D], of what the last step wrote
    asked: Tensor  #: [B, R, D], of what was last asked for


class DKMSnapshot(NamedTuple):
    """The items of a step, as the attention sees them, and R; E and F are its own widths."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    mean: Tensor  #: [B, H, K, W], of K slots


class DKM(AssociativeMap[DKMState]):
    """Dynamic Kanerva machine (Wu et al. 2018): a distribution, conditioned on what was written.

    Args:
        sizes: given by the model.
        slots: number N of a memory's rows, and places D of a code; default: the sequence length.
        heads: number H of memories.
        queries: read heads of each, in models that read with heads.
        latent_addresses: draw the addresses of reads; for models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries are not as wide as keys, there is no such
            attention, or addresses are to be latent in a model that reads by query.
    """

    not_carried = ("addresses", "code", "asked")
    gated = False
    starts_empty = False  # but with a learned memory
    seen = DKMSnapshot

    def __init__(
        self,
        sizes: MemorySizes,
        slots: int | None = None,
        heads: int = 2,
        queries: int = 3,
        latent_addresses: bool = False,
        attention: AttentionKind = "multihead",
        attention_heads: int = 8,
    ) -> None:
        super().__init__(sizes, slots, heads, queries, attention, attention_heads)
        if sizes.query and latent_addresses:
            raise ValueError(
                "latent_addresses must be false in models that read by query, got True"
            )
        if latent_addresses:
            self.noise_size = self.read_heads * self.slots
            self.address_spread = nn.Linear(sizes.control, self.read_heads)
            if not sizes.plain:
                nn.init.constant_(self.address_spread.bias, SPREAD)
        self.raw_noise = nn.Parameter(LOG_NOISE.raw(torch.full((heads,), NOISE).log()))
        # Of zero it would never learn: the address of any word would be 0.
        codes = torch.stack(
            [torch.linalg.qr(torch.randn(2 * [self.slots]))[0] for _ in range(heads)]
        )
        values = FAINT * torch.randn(heads, self.slots, sizes.value)
        #: [H, N, W], R before the first word
        self.prior_mean = nn.Parameter(torch.cat([CODE_GAIN * codes, values], 2))

    @property
    def state_size(self) -> int:
        """Numbers that a sequence's state carries: of a symmetric matrix, those of a triangle."""
        N = self.slots
        return self.heads * (N * (N + 1) // 2 + N * (N + self.sizes.value))

    def initial_state(self, batch_size: int, like: Tensor) -> DKMState:
        """Return the learned mean, and rows that are independent with variance 1."""
        B, H, N, R = batch_size, self.heads, self.slots, self.read_heads
        identity = torch.eye(N, dtype=like.dtype, device=like.device)
        return DKMState(
            mean=self.prior_mean.to(like).expand(B, -1, -1, -1),
            covariance=identity.expand(B, H, -1, -1),
            addresses=like.new_zeros(B, R if self.noise_size else 0, N),
            code=like.new_zeros(B, H, N),
            asked=like.new_zeros(B, R, N),
        )

    def follow(self, state: DKMState, decay: Tensor, items: Coded) -> DKMState:
        """Condition the memories on the words; nothing decays."""
        if items.keys.shape[2] == 1 and building.serve(state.mean, items.keys):
            word = items.keys.squeeze(2), items.values.flatten(1), items.mask.flatten()
            noise = self.noise.to(state.mean)
            mean, U = condition(state.mean, state.covariance, *word, noise, CODE_GAIN)
            return state._replace(mean=mean, covariance=U)
        values = items.values.expand(-1, self.heads, -1, -1)
        words = torch.cat([CODE_GAIN * items.keys, values], 3)
        mean, U, words = (part.flatten(0, 1) for part in (state.mean, state.covariance, words))
        present = items.mask.expand(-1, self.heads, -1).flatten(0, 1).unsqueeze(2)
        noise = self.noise.to(mean).expand(len(items.mask), -1).flatten()
        addresses = regressed(mean, words, noise) * present
        delta, noise = words - torch.bmm(addresses, mean), noise[:, None, None]
        if words.shape[1] == 1:
            gain = torch.bmm(U, addresses.mT)
            per_s = gain / (torch.bmm(addresses, gain) + noise)
            mean = torch.addcmul(mean, per_s, delta)
            U = torch.addcmul(U, per_s, gain.mT, value=-1)
        else:
            told = addresses.mT / noise
            U = solved_by_columns(identity_like(U) + U @ (told @ addresses), U)
            U = (U + U.mT) / 2
            mean = mean + U @ (told @ delta)
        shape = -1, self.heads
        return state._replace(mean=mean.unflatten(0, shape), covariance=U.unflatten(0, shape))

    @property
    def noise(self) -> Tensor:
        """Variance sigma^2 of the noise, [H]."""
        return (2 * LOG_NOISE.of(self.raw_noise)).exp()

    def write(self, state: DKMState, control: Tensor, items: Items) -> DKMState:
        """Write the words, and draw the addresses of the next read from the prior if latent."""
        return self.advance(state, control, items)[0]

    def advance(
        self,
        state: DKMState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[DKMState, Tensor]:
        """Write, with addresses of the next read from the posterior if ``observed`` is given."""
        state, kl = super().write(state, control, items), control.new_zeros(len(control))
        if not self.noise_size:
            return state, kl
        codes, _ = self.read_codes(control)
        prior = chosen = self._latent_addresses(state, control, codes)
        if observed is not None:
            chosen = self._latent_addresses(state, observed, self.read_codes(observed)[0])
            kl = kl_divergence(chosen, prior).sum(1)
        drawn = torch.randn_like(chosen.mean) if noise is None else noise.view_as(chosen.mean)
        return state._replace(addresses=chosen.sample(drawn), asked=codes.detach()), kl

    def _latent_addresses(
        self, state: DKMState, control: Tensor, codes: Tensor
    ) -> DiagonalGaussian:
        """Return the Gaussians of the read heads' addresses [B, R, N], given their codes."""
        queries, kind = codes.unflatten(1, (self.heads, self.queries)), exact_type(codes)
        with exactly(codes):
            known = state.mean[..., : self.slots].to(kind)
            mean = self._addresses(known, queries.to(kind)).flatten(1, 2).to(state.mean.dtype)
        log_sigma = self.address_spread(control).clamp(*LOG_SPREAD).unsqueeze(2)
        return DiagonalGaussian(mean, log_sigma.expand_as(mean))

    def _read(self, state: DKMState, control: Tensor) -> tuple[Tensor, DKMState]:
        """Complete the words that codes ask for, or read at the addresses that were drawn."""
        if not self.noise_size:
            return super()._read(state, control)
        values = state.mean[..., self.slots :]
        reads = state.addresses.unflatten(1, (self.heads, self.queries)) @ values
        return reads.flatten(1), state

    def held(self, state: DKMState) -> tuple[Tensor, ...]:
        """Return R."""
        return (state.mean,)

    def answer(self, held: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Complete words of which the codes are known."""
        if queries.shape[-2] <= FEW and building.serve(held[0], queries):
            return complete(held[0], queries, self.noise.to(queries), CODE_GAIN)
        codes, values = held[0].split([self.slots, self.sizes.value], -1)
        return self._addresses(codes, queries) @ values

    def _addresses(self, codes: Tensor, queries: Tensor) -> Tensor:
        """Regress queries [..., H, M, D] on the codes of rows [..., H, N, D], [..., H, M, N]."""
        memories, noise = codes.flatten(0, -3), self.noise.to(codes)
        noise = noise.expand(len(memories) // self.heads, -1).flatten()
        found = regressed(memories, CODE_GAIN * queries.flatten(0, -3), noise)
        return found.unflatten(0, codes.shape[:-2])

    def pooled(self, held: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the rows of R, each as a value; the mean of all memories."""
        values = held[0][..., self.slots :].mean(-3).sum(-2)
        return values, torch.full_like(values[..., :1], self.slots)


def regressed(memory: Tensor, words: Tensor, noise: Tensor) -> Tensor:
    """Regress words on rows: w = (R R^T + sigma^2 I)^-1 R z.

    Args:
        memory: [B, N, W], R.
        words: [B, M, W], z in each row.
        noise: [B], sigma^2.

    Returns:
        Addresses [B, M, N].
    """
    rows = memory.mT
    return solved(torch.bmm(memory, rows), torch.bmm(words, rows), noise)
