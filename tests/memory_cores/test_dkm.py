"""DKM against exact conditioning of a matrix normal in NumPy; its covariance stays definite."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory_cores import DKM, Items, MemorySizes
from memory_cores.dkm import DKMState
from memory_cores.parts.associative_map import Coded

STEPS, B, H, N, V = 50, 2, 3, 6, 4
SIZES = MemorySizes(control=5, key=3, value=V, steps=N)
Array = NDArray[np.float64]


def built() -> DKM:
    torch.manual_seed(0)
    return DKM(SIZES, heads=H).double()


def words(items: int, seed: int) -> Coded:
    generator = torch.Generator().manual_seed(seed)
    keys, values = (
        torch.randn(shape, generator=generator, dtype=torch.double)
        for shape in ((B, H, items, N), (B, 1, items, V))
    )
    keys = torch.nn.functional.normalize(keys, dim=3)
    mask = torch.ones(B, 1, items, dtype=torch.double)
    return Coded(keys, values, torch.zeros(B, H, items).double(), mask)


def written(core: DKM, state: DKMState, items: Coded) -> DKMState:
    return core.follow(state, torch.zeros(B, H), items)


def ridge(rows: Array, word: Array, noise: float) -> Array:
    """Return the most probable address under a standard normal prior and noise variance."""
    return np.linalg.solve(rows @ rows.T / noise + np.eye(len(rows)), rows @ word / noise)


@pytest.mark.parametrize("number", [1, 3, 20])
def test_it_is_conditioned_on_all_words_ever_written(number: int) -> None:
    """The reference conditions M on all words at once, in O((steps n)^3).

    Steps have one item, fewer items than slots, or more.
    """
    core = built()
    state = core.initial_state(B, torch.zeros(1).double())
    prior, noise = core.prior_mean.detach().numpy(), core.noise.detach().numpy()
    addresses: dict[tuple[int, int], list[Array]] = {(b, h): [] for b in range(B) for h in range(H)}
    words_of: dict[tuple[int, int], list[Array]] = {place: [] for place in addresses}
    for t in range(STEPS):
        items = words(number, t)
        before, state = state.mean.detach().numpy(), written(core, state, items)
        for b, h in addresses:
            rows = np.concatenate(
                [core.code_gain * items.keys[b, h].numpy(), items.values[b, 0]], 1
            )
            addresses[b, h] += [ridge(before[b, h], word, noise[h]) for word in rows]
            words_of[b, h] += list(rows)
    for b, h in addresses:
        W, Z = np.array(addresses[b, h]), np.array(words_of[b, h])
        gain = W.T @ np.linalg.inv(W @ W.T + noise[h] * np.eye(len(W)))
        mean, covariance = prior[h] + gain @ (Z - W @ prior[h]), np.eye(N) - gain @ W
        np.testing.assert_allclose(state.mean[b, h].detach(), mean, atol=1e-9)
        np.testing.assert_allclose(state.covariance[b, h].detach(), covariance, atol=1e-9)


def test_a_read_completes_the_word_of_a_code() -> None:
    core = built()
    state = written(core, core.initial_state(B, torch.zeros(1).double()), words(4, 0))
    queries = words(7, 1).keys
    found = core.answer(core.maps(state), queries).detach().numpy()
    mean, noise = state.mean.detach().numpy(), core.noise.detach().numpy()
    for b, h, m in np.ndindex(B, H, 7):
        codes, values = np.split(mean[b, h], [N], axis=1)
        address = ridge(codes, core.code_gain * queries[b, h, m].numpy(), noise[h])
        np.testing.assert_allclose(found[b, h, m], address @ values, atol=1e-9)


def test_reads_of_other_codes_do_not_exceed_stored_values_by_much() -> None:
    """The address that completes a code resembles the address of a word with that code.

    Where values counted twice as much as codes, reads were up to seven times as large as values,
    and three trainings of five diverged.
    """
    torch.manual_seed(0)
    core = DKM(SIZES._replace(value=32, steps=15), heads=H)
    state = core.initial_state(B, torch.zeros(1))
    codes = (3 * torch.randn(2, 15, B, H, 6, 15)).log_softmax(5).div(2).exp()
    values, gates, mask = torch.randn(15, B, 1, 1, 32), torch.zeros(B, 0, 1), torch.ones(B, 1, 1)
    largest = []
    for key, value, query in zip(codes[0], values, codes[1], strict=True):
        state = written(core, state, Coded(key[:, :, :1], value, gates, mask))
        largest.append(core.answer(core.maps(state), query).square().mean(3).max().sqrt())
    assert max(largest) < 2.5


@pytest.mark.parametrize("latent_addresses", [False, True])
def test_a_large_read_is_scaled_down(latent_addresses: bool) -> None:
    """In one direction: to 4 in the root mean square, where values are thousands."""
    torch.manual_seed(0)
    core = DKM(SIZES, heads=H, latent_addresses=latent_addresses).double()
    with torch.no_grad():
        core.prior_mean[..., N:] = 1e3 * torch.tensor([1.0, -1.0, 1.0, -1.0])
    state = core.initial_state(B, torch.zeros(1).double())
    if latent_addresses:
        state = state._replace(addresses=torch.rand_like(state.addresses))
    reads, _ = core.read(state, torch.randn(B, SIZES.control).double())
    reads = reads.unflatten(1, (-1, V))
    expected = reads[..., :1].sign() * torch.tensor([4.0, -4.0, 4.0, -4.0]).double()
    torch.testing.assert_close(reads, expected.expand_as(reads))


@pytest.mark.parametrize(
    "number", [1, pytest.param(1, id="1-by_operators", marks=pytest.mark.operators), 3, 20]
)
def test_the_covariance_stays_positive_definite_in_single_precision(number: int) -> None:
    core = built().float()
    state: DKMState = core.initial_state(B, torch.zeros(1))
    with torch.no_grad():
        for t in range(2000):
            items = Coded(*(part.to(torch.float32) for part in words(number, t)[:3]), ones(number))
            state = written(core, state, items)
    least = torch.linalg.eigvalsh(state.covariance.double())[..., 0]
    assert (least > 1e-6).all() and state.mean.isfinite().all()


def ones(number: int) -> Tensor:
    return torch.ones(B, 1, number)


def test_a_latent_address_has_the_codes_mean_and_a_closed_form_kl() -> None:
    """KL of two isotropic Gaussians in N dimensions."""
    torch.manual_seed(0)
    core = DKM(SIZES, heads=H, queries=1, latent_addresses=True).double()
    control, observed = torch.randn(2, B, SIZES.control).double()
    noise = torch.randn(B, core.noise_size).double()
    items = Items(
        torch.randn(B, 1, SIZES.key).double(), torch.randn(B, 1, V).double(), torch.ones(B, 1) > 0
    )
    state = core.initial_state(B, control)
    reads, after, kl = core.write_and_read(state, control, items, observed, noise)
    mean, sigma2 = after.mean.detach().numpy(), core.noise.detach().numpy()
    expected, found = np.zeros(B), np.zeros((B, H, V))
    for b, h in np.ndindex(B, H):
        codes, values = np.split(mean[b, h], [N], axis=1)
        places, spreads = [], []
        for inputs in (control, observed):
            code = core.code_gain * core.read_codes(inputs)[0][b, h].detach().numpy()
            places.append(ridge(codes, code, sigma2[h]))
            spreads.append(np.exp(core.address_spread(inputs)[b, h].item()))
        (prior, posterior), (p, q) = places, spreads
        shift = ((posterior - prior) ** 2).sum() / p**2
        expected[b] += 0.5 * (N * q**2 / p**2 + shift - N - 2 * N * np.log(q / p))
        address = posterior + q * noise[b].view(H, N)[h].numpy()
        found[b, h] = address @ values
    np.testing.assert_allclose(kl.detach(), expected, atol=1e-9)
    np.testing.assert_allclose(reads.detach(), found.reshape(B, -1), atol=1e-9)
    *_, kl = core.write_and_read(state, control, items, noise=noise)
    assert not kl.any()


def test_models_that_read_by_query_have_no_latent_addresses() -> None:
    with pytest.raises(ValueError, match="latent_addresses must be false in models that read by"):
        DKM(SIZES._replace(query=3), latent_addresses=True)


def test_read_weightings_with_latent_addresses_sum_to_one() -> None:
    core = DKM(MemorySizes(control=4, key=3, value=2, steps=5), latent_addresses=True)
    items = Items(torch.randn(2, 1, 3), torch.randn(2, 1, 2), torch.ones(2, 1) > 0)
    state = core.initial_state(2, items.keys)
    _, state, _ = core.write_and_read(state, torch.randn(2, 4), items)
    torch.testing.assert_close(core.weightings(state).read.sum(-1), torch.ones(2, core.read_heads))
