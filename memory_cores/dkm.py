"""Dynamic Kanerva machine: a memory that is a distribution (Wu, Wayne, Gregor and Lillicrap 2018).

The memory M is a matrix normal with mean R and covariance U of its rows. A word z is w^T M plus
noise of variance sigma^2. The address w is found by ridge regression of the word on R:

    w = (R R^T + sigma^2 I)^-1 R z,   since the prior of an address is standard normal

The n words of a set, rows of Z with addresses W from the R before the step, are conditioned on
jointly. M is then distributed with

    Delta = Z - W R,   G = U W^T,   S = W G + sigma^2 I
    R <- R + G S^-1 Delta,   U <- U - G S^-1 G^T

which for one word is the paper's step. Padding has an address of zeros, and changes nothing.

A word is the code of a key next to its value. A read knows the code alone: its address is the ridge
regression on that part of R, and it returns the rest. M is integrated out, and addresses are
functions of words, so that there is no KL. With ``latent_addresses`` a read's address is drawn from
a Gaussian with that mean: a prior given the control, or a posterior given the observation, too.
Their KL is part of the bound. A read may exceed all stored values, so it is ``limited``.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from memory_cores.core import Items, MemorySizes
from memory_cores.kernels import building
from memory_cores.kernels.dkm import complete, condition
from memory_cores.parts.associative_map import AssociativeMap, Coded, limited
from memory_cores.parts.attention import AttentionKind
from memory_cores.parts.gaussian import DiagonalGaussian, kl_divergence
from memory_cores.parts.range import Range
from memory_cores.parts.solving import FEW, exact_type, exactly, solved

#: Initial standard deviation of the noise, and the range of its logarithm, beyond which regressions
#: are ill-conditioned in single precision.
NOISE, LOG_NOISE = 0.3, Range(-2.0, 3.0)
#: Squared length of codes in words over that of typical values, V. A word's address is a regression
#: of both, a query's of its code alone: the more values count, the less the two addresses agree.
OUTWEIGHS = 8.0
#: Standard deviation of the values in the initial memory.
FAINT = 0.1
#: Log standard deviation of a latent address: initial value and range.
SPREAD, LOG_SPREAD = -3.0, Range(-6.0, 2.0)


class DKMState(NamedTuple):
    """B sequences, H memories of N slots, words of W numbers, codes of D places, R read heads.

    Without latent addresses, ``addresses`` is [B, 0, N].
    """

    mean: Tensor  #: [B, H, N, W], R
    covariance: Tensor  #: [B, H, N, N], U
    addresses: Tensor  #: [B, R, N], drawn for the next read; [B, 0, N]
    written_code: Tensor  #: [B, H, D], mean code of the items last written
    query_codes: Tensor  #: [B, R, D], codes of the last queries


class DKMSnapshot(NamedTuple):
    """A step's items, prepared for the attention (widths E and F), and R."""

    item_keys: Tensor  #: [B, N, E]
    item_values: Tensor  #: [B, N, F]
    item_mask: Tensor  #: [B, N] bool
    mean: Tensor  #: [B, H, K, W], of K slots


class DKM(AssociativeMap[DKMState]):
    """Dynamic Kanerva machine (Wu et al. 2018): a distribution over memories, conditioned on words.

    Args:
        sizes: given by the model.
        slots: number N of a memory's rows, and places D of a code; default: the sequence length.
        heads: number H of memories.
        queries: read heads per map, in models that read with heads.
        latent_addresses: draw the addresses of reads; only in models that read with heads.
        attention: kind of the attention to a step's items in look-ups by query.
        attention_heads: heads of multihead attention.

    Raises:
        ValueError: a number is below 1, queries and keys differ in width, ``attention`` is
            unknown, or addresses are latent in a model that reads by query.
    """

    not_carried = ("addresses", "written_code", "query_codes")
    gated = False
    starts_empty = False  # the initial memory is learned
    snapshot_type = DKMSnapshot

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
        # Zeros would get no gradient: the address of every word would be 0.
        codes = torch.stack(
            [torch.linalg.qr(torch.randn(2 * [self.slots]))[0] for _ in range(heads)]
        )
        self.code_gain = (OUTWEIGHS * sizes.value) ** 0.5
        values = FAINT * torch.randn(heads, self.slots, sizes.value)
        #: [H, N, W], R before the first word
        self.prior_mean = nn.Parameter(torch.cat([self.code_gain * codes, values], 2))

    @property
    def state_size(self) -> int:
        """Numbers in a sequence's state; a symmetric matrix counts as one triangle."""
        N = self.slots
        return self.heads * (N * (N + 1) // 2 + N * (N + self.sizes.value))

    def initial_state(self, batch_size: int, like: Tensor) -> DKMState:
        """Return the learned mean and an identity covariance."""
        B, H, N, R = batch_size, self.heads, self.slots, self.read_heads
        identity = torch.eye(N, dtype=like.dtype, device=like.device)
        return DKMState(
            mean=self.prior_mean.to(like).expand(B, -1, -1, -1),
            covariance=identity.expand(B, H, -1, -1),
            addresses=like.new_zeros(B, R if self.noise_size else 0, N),
            written_code=like.new_zeros(B, H, N),
            query_codes=like.new_zeros(B, R, N),
        )

    def follow(self, state: DKMState, decay: Tensor, items: Coded) -> DKMState:
        """Condition the memories on the words; nothing decays."""
        if items.keys.shape[2] == 1 and building.serve(state.mean, items.keys):
            word = items.keys.squeeze(2), items.values.flatten(1), items.mask.flatten()
            noise = self.noise.to(state.mean)
            mean, U = condition(state.mean, state.covariance, *word, noise, self.code_gain)
            return state._replace(mean=mean, covariance=U)
        values = items.values.expand(-1, self.heads, -1, -1)
        words = torch.cat([self.code_gain * items.keys, values], 3)
        mean, U, words = (part.flatten(0, 1) for part in (state.mean, state.covariance, words))
        present = items.mask.expand(-1, self.heads, -1).flatten(0, 1).unsqueeze(2)
        noise = self.noise.to(mean).expand(len(items.mask), -1).flatten()
        addresses = regressed(mean, words, noise) * present
        gain = torch.bmm(U, addresses.mT)
        per_s = solved(torch.bmm(addresses, gain), gain, noise)
        mean = torch.baddbmm(mean, per_s, words - torch.bmm(addresses, mean))
        U = torch.baddbmm(U, per_s, gain.mT, alpha=-1)
        U = (U + U.mT) / 2  # exactly symmetric, as ``state_size`` counts it
        shape = -1, self.heads
        return state._replace(mean=mean.unflatten(0, shape), covariance=U.unflatten(0, shape))

    @property
    def noise(self) -> Tensor:
        """Variance sigma^2 of the noise, [H]."""
        return (2 * LOG_NOISE.of(self.raw_noise)).exp()

    def write(self, state: DKMState, control: Tensor, items: Items) -> DKMState:
        """Write the words, and draw latent addresses for the next read from the prior."""
        return self.advance(state, control, items)[0]

    def advance(
        self,
        state: DKMState,
        control: Tensor,
        items: Items,
        observed: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[DKMState, Tensor]:
        """Write; draw the next read's addresses from the posterior if ``observed`` is given."""
        state, kl = super().write(state, control, items), control.new_zeros(len(control))
        if not self.noise_size:
            return state, kl
        codes, _ = self.read_codes(control)
        prior = posterior = self._latent_addresses(state, control, codes)
        if observed is not None:
            posterior = self._latent_addresses(state, observed, self.read_codes(observed)[0])
            kl = kl_divergence(posterior, prior).sum(1)
        mean = posterior.mean
        noise = torch.randn_like(mean) if noise is None else noise.view_as(mean)
        return state._replace(addresses=posterior.sample(noise), query_codes=codes.detach()), kl

    def _latent_addresses(
        self, state: DKMState, control: Tensor, codes: Tensor
    ) -> DiagonalGaussian:
        """Return the Gaussians of the read heads' addresses [B, R, N], given their codes."""
        queries, kind = codes.unflatten(1, (self.heads, self.queries)), exact_type(codes)
        with exactly(codes):
            rows = state.mean[..., : self.slots].to(kind)
            mean = self._addresses(rows, queries.to(kind)).flatten(1, 2).to(state.mean.dtype)
        log_sigma = LOG_SPREAD.kept(self.address_spread(control)).unsqueeze(2)
        return DiagonalGaussian(mean, log_sigma.expand_as(mean))

    def _read(self, state: DKMState, control: Tensor) -> tuple[Tensor, DKMState]:
        """Complete words from their codes, or read at the addresses drawn."""
        if not self.noise_size:
            return super()._read(state, control)
        values = state.mean[..., self.slots :]
        reads = limited(state.addresses.unflatten(1, (self.heads, self.queries)) @ values)
        return reads.flatten(1), state

    def maps(self, state: DKMState) -> tuple[Tensor, ...]:
        """Return R."""
        return (state.mean,)

    def answer(self, maps: tuple[Tensor, ...], queries: Tensor) -> Tensor:
        """Complete words from their codes."""
        if queries.shape[-2] <= FEW and building.serve(maps[0], queries):
            return limited(complete(maps[0], queries, self.noise.to(queries), self.code_gain))
        codes, values = maps[0].split([self.slots, self.sizes.value], -1)
        return limited(self._addresses(codes, queries) @ values)

    def _addresses(self, codes: Tensor, queries: Tensor) -> Tensor:
        """Regress queries [..., H, M, D] on codes of rows [..., H, N, D]; return [..., H, M, N]."""
        memories, noise = codes.flatten(0, -3), self.noise.to(codes)
        noise = noise.expand(len(memories) // self.heads, -1).flatten()
        addresses = regressed(memories, self.code_gain * queries.flatten(0, -3), noise)
        return addresses.unflatten(0, codes.shape[:-2])

    def pooled(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Sum the values in the rows of R; average over the memories."""
        values = maps[0][..., self.slots :].mean(-3).sum(-2)
        return values, torch.full_like(values[..., :1], self.slots)


def regressed(memory: Tensor, words: Tensor, noise: Tensor) -> Tensor:
    """Find addresses by ridge regression: w = (R R^T + sigma^2 I)^-1 R z.

    Args:
        memory: [B, N, W], R.
        words: [B, M, W], rows z.
        noise: [B], sigma^2.

    Returns:
        Addresses [B, M, N].
    """
    rows = memory.mT
    return solved(torch.bmm(memory, rows), torch.bmm(words, rows), noise)
