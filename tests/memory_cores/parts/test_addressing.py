"""Addressing on inputs whose answer is known."""

from collections.abc import Callable
from itertools import permutations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from memory_cores.parts.addressing import (
    EPSILON,
    allocation_weights,
    content_weights,
    erase_and_add,
    linked,
    preceded,
    retention,
    usage_after_write,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def tensor(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def rand(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.float64)


def ones(*shape: int) -> Tensor:
    return torch.ones(*shape, dtype=torch.float64)


def one_hot(slots: list[int], count: int) -> Tensor:
    return torch.eye(count, dtype=torch.float64)[slots]


def random_weightings(*shape: int) -> Tensor:
    """Sparse to uniform, some of them exactly one-hot, sums from 0 to 1."""
    sharpness = 10 ** (4 * rand(*shape[:-1], 1) - 1)
    weights = torch.softmax(sharpness * randn(*shape), -1)
    return weights * (1.5 * rand(*shape[:-1], 1)).clamp(max=1)


# Content ----------------------------------------------------------------------------------------


def test_a_strong_key_finds_its_planted_row() -> None:
    memory = randn(2, 6, 8)
    keys = 3 * memory[:, [4, 0, 2]]  # the length of a key does not matter
    weights = content_weights(memory, keys, 1e4 * ones(2, 3))
    expected = one_hot([4, 0, 2], 6).expand(2, 3, 6)
    torch.testing.assert_close(weights, expected, rtol=0, atol=1e-12)


def test_an_opposite_row_gets_the_least_weight() -> None:
    memory = randn(1, 6, 8)
    weights = content_weights(memory, -memory[:, [3]], ones(1, 1))
    assert weights[0, 0].argmin() == 3


def test_content_weights_are_the_softmax_of_known_cosines() -> None:
    memory = tensor([[[5.0, 0.0], [0.0, 7.0], [-3.0, 0.0], [6.0, 8.0]]])
    weights = content_weights(memory, tensor([[[2.0, 0.0]]]), 2 * ones(1, 1))
    expected = torch.softmax(tensor([2.0, 0.0, -2.0, 1.2]), 0)
    torch.testing.assert_close(weights[0, 0], expected, rtol=1e-5, atol=0)


def test_strength_zero_is_uniform() -> None:
    weights = content_weights(randn(2, 5, 3), randn(2, 4, 3), zeros(2, 4))
    torch.testing.assert_close(weights, 0.2 * ones(2, 4, 5), rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_empty_memory_is_uniform_with_finite_gradients(dtype: torch.dtype) -> None:
    memory = torch.zeros(1, 4, 3, dtype=dtype, requires_grad=True)
    keys = torch.randn(1, 2, 3, dtype=dtype, requires_grad=True)
    zero_keys = torch.zeros(1, 2, 3, dtype=dtype, requires_grad=True)
    for key in (keys, zero_keys):
        weights = content_weights(memory, key, torch.full((1, 2), 10.0, dtype=dtype))
        assert torch.equal(weights, torch.full_like(weights, 0.25))
        gradients = torch.autograd.grad((weights * torch.randn_like(weights)).sum(), [memory, key])
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_content_weights_take_any_leading_axes() -> None:
    memory, keys, strengths = randn(2, 3, 5, 4), randn(2, 3, 1, 4), rand(2, 3, 1)
    together = content_weights(memory, keys, strengths)
    for b in range(2):
        alone = content_weights(memory[b], keys[b], strengths[b])
        torch.testing.assert_close(together[b], alone)


# Usage ------------------------------------------------------------------------------------------


def test_usage_after_write_is_the_chance_that_any_write_hit() -> None:
    usage = tensor([[0.0, 0.5, 1.0, 0.2]])
    writes = tensor([[[0.0, 0.5, 0.3, 1.0], [0.0, 0.5, 0.3, 0.0]]])
    expected = tensor([[0.0, 1 - 0.5**3, 1.0, 1.0]])
    torch.testing.assert_close(usage_after_write(usage, writes), expected)


def test_no_write_leaves_usage() -> None:
    usage = rand(2, 5)
    torch.testing.assert_close(usage_after_write(usage, zeros(2, 2, 5)), usage)


def test_closed_free_gates_retain_all_and_open_ones_free_what_was_read() -> None:
    reads = torch.stack([one_hot([1, 3], 5)])
    assert torch.equal(retention(reads, zeros(1, 2)), ones(1, 5))
    kept = retention(reads, ones(1, 2))
    assert kept.tolist() == [[1, 0, 1, 0, 1]]
    assert retention(reads, tensor([[0.0, 1.0]])).tolist() == [[1, 1, 1, 0, 1]]


def test_two_heads_that_half_free_a_slot_keep_a_quarter() -> None:
    reads = 0.5 * ones(1, 2, 3)
    kept = retention(reads, ones(1, 2))
    torch.testing.assert_close(kept, 0.25 * ones(1, 3))


# Allocation -------------------------------------------------------------------------------------


def by_definition(usage: list[float]) -> list[float]:
    """Try every order of the slots, keep the one that ascends, and walk along it."""
    guarded = [EPSILON + (1 - EPSILON) * u for u in usage]
    for order in permutations(range(len(usage))):
        if all(guarded[i] <= guarded[j] for i, j in zip(order, order[1:], strict=False)):
            weights, left = [0.0] * len(usage), 1.0
            for slot in order:
                weights[slot] = (1 - guarded[slot]) * left
                left *= guarded[slot]
            return weights
    raise AssertionError("no order ascends")


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_allocation_equals_brute_force_over_all_orders(slots: int) -> None:
    usage = rand(20, slots)
    usage[::4, : slots // 2] = 0  # ties: the first order that ascends prefers lower slots
    usage[1::4, slots // 2 :] = 1
    usage[2::4] = 0.5
    expected = tensor([by_definition(row) for row in usage.tolist()])
    torch.testing.assert_close(allocation_weights(usage), expected, rtol=1e-12, atol=1e-15)


def test_allocation_follows_a_permutation_of_the_slots() -> None:
    usage = rand(1, 5)
    weights = allocation_weights(usage)
    for order in permutations(range(5)):
        torch.testing.assert_close(allocation_weights(usage[:, order]), weights[:, order])


def test_a_free_memory_allocates_its_first_slot() -> None:
    expected = tensor([[(1 - EPSILON) * EPSILON**i for i in range(4)]])
    torch.testing.assert_close(allocation_weights(zeros(1, 4)), expected, rtol=1e-12, atol=0)


def test_allocation_gives_all_but_the_product_of_usages() -> None:
    usage = rand(50, 7)
    weights = allocation_weights(usage)
    left = (EPSILON + (1 - EPSILON) * usage).prod(1)
    torch.testing.assert_close(weights.sum(1), 1 - left)
    assert (weights >= 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_used_slots_get_nothing(dtype: torch.dtype) -> None:
    usage = torch.tensor([[1.0, 0.3, 1.0, 0.6], [1.0, 1.0, 1.0, 1.0]], dtype=dtype)
    weights = allocation_weights(usage)
    assert (weights[usage == 1] == 0).all()
    alone = allocation_weights(usage[:1, [1, 3]])
    torch.testing.assert_close(weights[:1, [1, 3]], alone)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_allocation_among_many_slots_is_finite_with_its_gradient(dtype: torch.dtype) -> None:
    usage = torch.rand(4, 300).to(dtype)
    usage[0], usage[1], usage[2, :150] = 0, 1, 0
    usage.requires_grad_()
    weights = allocation_weights(usage)
    (gradient,) = torch.autograd.grad((weights * torch.randn_like(weights)).sum(), usage)
    assert weights.isfinite().all() and gradient.isfinite().all()


# Links ------------------------------------------------------------------------------------------


def write_in_order(order: list[int], slots: int) -> tuple[Tensor, Tensor]:
    link, precedence = zeros(1, 1, slots, slots), zeros(1, 1, slots)
    for slot in order:
        weights = one_hot([slot], slots).unsqueeze(0)
        link, precedence = linked(link, precedence, weights), preceded(precedence, weights)
    return link[0, 0], precedence[0, 0]


def test_links_reproduce_the_order_of_writing() -> None:
    order = [3, 0, 4, 1]
    link, precedence = write_in_order(order, 6)
    expected = zeros(6, 6)
    for before, after in zip(order, order[1:], strict=False):
        expected[after, before] = 1
    assert torch.equal(link, expected)
    assert torch.equal(precedence, one_hot([1], 6)[0])
    for t, slot in enumerate(order):
        following = order[t + 1 : t + 2]
        preceding = order[max(t - 1, 0) : t]
        assert (link @ one_hot([slot], 6)[0]).nonzero().flatten().tolist() == following
        assert (link.mT @ one_hot([slot], 6)[0]).nonzero().flatten().tolist() == preceding


def test_writing_a_slot_again_forgets_its_old_neighbours() -> None:
    link, _ = write_in_order([0, 1, 2, 1], 3)
    expected = zeros(3, 3)
    expected[1, 2] = 1  # 0 -> 1 and 1 -> 2 are gone
    assert torch.equal(link, expected)


def test_writing_one_slot_twice_links_it_to_nothing() -> None:
    assert torch.equal(write_in_order([1, 1], 3)[0], zeros(3, 3))


def test_links_and_precedence_stay_weightings_for_200_random_steps() -> None:
    link, precedence = zeros(3, 2, 6, 6), zeros(3, 2, 6)
    for _ in range(200):
        weights = random_weightings(3, 2, 6)
        link, precedence = linked(link, precedence, weights), preceded(precedence, weights)
        assert (link >= -1e-12).all() and (precedence >= -1e-12).all()
        assert (link.sum(-1) <= 1 + 1e-12).all() and (link.sum(-2) <= 1 + 1e-12).all()
        assert (precedence.sum(-1) <= 1 + 1e-12).all()
        assert (link.diagonal(dim1=-2, dim2=-1) == 0).all()


def test_precedence_is_the_last_full_write_and_stays_without_one() -> None:
    before = tensor([[[0.2, 0.3, 0.5]]])
    assert torch.equal(preceded(before, zeros(1, 1, 3)), before)
    full = one_hot([1], 3).unsqueeze(0)
    assert torch.equal(preceded(before, full), full)
    half = tensor([[[0.5, 0.0, 0.0]]])
    expected = tensor([[[0.6, 0.15, 0.25]]])
    torch.testing.assert_close(preceded(before, half), expected)


# Erase and add ----------------------------------------------------------------------------------


def test_a_full_write_replaces_exactly_one_slot() -> None:
    memory, vectors = randn(1, 4, 3), randn(1, 1, 3)
    new = erase_and_add(memory, one_hot([2], 4).unsqueeze(0), ones(1, 1, 3), vectors)
    assert torch.equal(new[0, 2], vectors[0, 0])
    assert torch.equal(new[0, [0, 1, 3]], memory[0, [0, 1, 3]])


def test_erasing_clears_only_the_given_words() -> None:
    memory = randn(1, 2, 3)
    erase = tensor([[[1.0, 0.0, 1.0]]])
    new = erase_and_add(memory, one_hot([0], 2).unsqueeze(0), erase, zeros(1, 1, 3))
    assert new[0].tolist() == [[0, memory[0, 0, 1].item(), 0], memory[0, 1].tolist()]


def test_without_erasing_a_write_adds() -> None:
    memory, vectors = randn(1, 4, 3), randn(1, 1, 3)
    new = erase_and_add(memory, one_hot([2], 4).unsqueeze(0), zeros(1, 1, 3), vectors)
    assert torch.equal(new[0, 2], memory[0, 2] + vectors[0, 0])


def test_all_heads_erase_before_any_adds() -> None:
    weights = one_hot([0, 0], 2).unsqueeze(0)
    erase, vectors = ones(1, 2, 3), randn(1, 2, 3)
    new = erase_and_add(randn(1, 2, 3), weights, erase, vectors)
    torch.testing.assert_close(new[0, 0], vectors[0].sum(0))


def test_no_write_leaves_memory_bit_for_bit() -> None:
    memory = randn(2, 4, 3)
    assert torch.equal(erase_and_add(memory, zeros(2, 2, 4), rand(2, 2, 3), randn(2, 2, 3)), memory)


# Gradients --------------------------------------------------------------------------------------


def test_every_function_passes_gradcheck() -> None:
    B, H, R, N, W = 2, 2, 2, 4, 3
    calls: list[tuple[Callable[..., Tensor], list[Tensor]]] = [
        (content_weights, [randn(B, N, W), randn(B, H, W), rand(B, H)]),
        (usage_after_write, [rand(B, N), random_weightings(B, H, N)]),
        (retention, [random_weightings(B, R, N), rand(B, R)]),
        (allocation_weights, [tensor([[0.2, 0.8, 0.4, 0.6], [0.9, 0.7, 0.3, 0.1]])]),
        (linked, [rand(B, H, N, N), random_weightings(B, H, N), random_weightings(B, H, N)]),
        (preceded, [random_weightings(B, H, N), random_weightings(B, H, N)]),
        (
            erase_and_add,
            [randn(B, N, W), random_weightings(B, H, N), rand(B, H, W), randn(B, H, W)],
        ),
    ]
    for function, inputs in calls:
        assert gradcheck(function, [x.requires_grad_() for x in inputs]), str(function)
