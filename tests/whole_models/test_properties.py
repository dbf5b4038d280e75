"""Promises of whole models, with whatever settings, sizes and ragged sets hypothesis draws."""

import functools
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from datamodules import FunctionSequences
from lightning_modules.noise import Purpose, hashed, sequence_noise
from tests.whole_models.strategies import (
    FRAMES,
    FUNCTIONS,
    Framed,
    Functional,
    framed,
    functional,
    in_dtype,
    only,
    until,
)

every_family_of_frames = pytest.mark.parametrize("name", FRAMES)
every_family_of_functions = pytest.mark.parametrize("name", FUNCTIONS)
few_examples = settings(max_examples=4, deadline=None, derandomize=True, database=None)
close = functools.partial(torch.testing.assert_close, rtol=1e-8, atol=1e-9)
DTYPES = st.sampled_from([torch.float32, torch.bfloat16, torch.float64])


def check_with(drawn: st.SearchStrategy[Any], check: Any) -> None:
    """Call a check with drawn models and batches, and with what else it draws."""
    few_examples(given(drawn, st.data())(check))()


def of_frames(found: Framed) -> tuple[Tensor, ...]:
    """All that a model gives of frames, with the sequences' own noise, each [B, T, ...]."""
    model, batch = found
    noise = model.noise(batch)
    inferred, generated = model(batch.frames, batch.actions, noise), model.generate(batch, noise)
    latents = inferred.trajectory.latent, generated.trajectory.latent
    return *inferred.bound(batch.frames), inferred.logits, generated.logits, *latents


def of_functions(found: Functional) -> tuple[Tensor, ...]:
    """All that a model gives of functions, with the sequences' own noise, each [B, T, ...]."""
    model, batch = found
    scores, inferred = model.score(batch, samples=2)
    real = batch.target_mask
    predicted = (part.masked_fill(~real, 0) for part in (scores.nll, scores.one_sample))
    latents = inferred.latents.sample, *inferred.latents.prior
    return *predicted, scores.joint, *model.bound(batch, inferred), *latents


def assert_apart(found: Any, give: Any, order: list[int]) -> None:
    """Assert that a batch gives what its sequences give, in whatever order and alone."""
    model, batch = found
    together = give(found)
    permuted = give(type(found)(model, only(batch, order)))
    close(permuted, tuple(part[order] for part in together))
    for b in range(len(batch.episode)):
        close(give(type(found)(model, only(batch, [b]))), tuple(p[[b]] for p in together))


@every_family_of_frames
def test_sequences_of_frames_do_not_see_each_other(name: str) -> None:
    def check(found: Framed, data: st.DataObject) -> None:
        order = data.draw(st.permutations(range(len(found.batch.episode))))
        assert_apart(found, of_frames, order)

    check_with(framed(name), check)


@every_family_of_functions
def test_sequences_of_functions_do_not_see_each_other(name: str) -> None:
    def check(found: Functional, data: st.DataObject) -> None:
        order = data.draw(st.permutations(range(len(found.batch.episode))))
        assert_apart(found, of_functions, order)

    check_with(functional(name), check)


@every_family_of_frames
def test_steps_of_frames_do_not_see_later_ones(name: str) -> None:
    def check(found: Framed, data: st.DataObject) -> None:
        model, batch = found
        noise, steps = model.noise(batch), data.draw(st.integers(1, batch.frames.shape[1]))
        bounds = model.bound(batch, noise), model.bound(until(batch, steps), noise[:, :steps])
        close(tuple(bounds[1]), tuple(part[:, :steps] for part in bounds[0]))

    check_with(framed(name), check)


@every_family_of_functions
def test_steps_of_functions_do_not_see_later_ones(name: str) -> None:
    def check(found: Functional, data: st.DataObject) -> None:
        model, batch = found
        noise, steps = model.noise(batch), data.draw(st.integers(1, batch.context_x.shape[1]))
        early, before = until(batch, steps), noise[:, :steps]
        inferred = model(batch, noise), model(early, before)
        whole, cut = model.bound(batch, inferred[0]), model.bound(early, inferred[1])
        close(tuple(cut), tuple(part[:, :steps] for part in whole))
        predicted = model.predict(batch, 1, noise.unsqueeze(0))
        again = model.predict(early, 1, before.unsqueeze(0))
        close(tuple(again), tuple(part[:, :, :steps] for part in predicted))

    check_with(functional(name), check)


@every_family_of_frames
def test_recording_steps_one_by_one_gives_the_same(name: str) -> None:
    def check(found: Framed, data: st.DataObject) -> None:
        model, batch = found
        known = data.draw(st.integers(0, batch.frames.shape[1]))
        noise = model.noise(batch)
        at_once, one_by_one = (
            model(batch.frames[:, :known], batch.actions, noise, record=record)
            for record in (False, True)
        )
        close(one_by_one.logits, at_once.logits)
        assert one_by_one.trajectory.weightings is not None
        for weights in one_by_one.trajectory.weightings:
            assert weights.shape[:2] == noise.shape[:2]
            assert (weights >= 0).all() and (weights.sum(-1) <= 1 + 1e-9).all()

    check_with(framed(name), check)


def repacked(batch: FunctionSequences, context: list[int], target: list[int]) -> FunctionSequences:
    """The same sets with points in another order, and NaN in a padding one larger."""

    def moved(points: Tensor, mask: Tensor, order: list[int]) -> Tensor:
        points = points.masked_fill(~mask.unsqueeze(3), torch.nan)[:, :, order]
        return torch.cat(
            [points, points.new_full((*mask.shape[:2], 1, points.shape[3]), torch.nan)], 2
        )

    def moved_mask(mask: Tensor, order: list[int]) -> Tensor:
        return torch.cat([mask[:, :, order], mask.new_zeros(*mask.shape[:2], 1)], 2)

    return batch._replace(
        context_x=moved(batch.context_x, batch.context_mask, context),
        context_y=moved(batch.context_y, batch.context_mask, context),
        context_mask=moved_mask(batch.context_mask, context),
        target_x=moved(batch.target_x, batch.target_mask, target),
        target_y=moved(batch.target_y, batch.target_mask, target),
        target_mask=moved_mask(batch.target_mask, target),
        target_seen=moved_mask(batch.target_seen, target),
    )


@every_family_of_functions
def test_neither_order_nor_padding_of_points_makes_a_difference(name: str) -> None:
    def check(found: Functional, data: st.DataObject) -> None:
        model, batch = found
        orders = [
            data.draw(st.permutations(range(mask.shape[2])))
            for mask in (batch.context_mask, batch.target_mask)
        ]
        other = repacked(batch, *orders)
        # Scores of single targets move with them.
        sets = of_functions(found)[2:]
        close(of_functions(Functional(model, other))[2:], sets)
        close(gradients(model, other), gradients(model, batch))

    check_with(functional(name), check)


def gradients(model: Any, batch: Any) -> dict[str, Tensor]:
    """Gradients of a training step."""
    model.zero_grad()
    loss = model.training_step(batch, 0)
    assert loss.isfinite()
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    assert found and all(gradient.isfinite().all() for gradient in found.values())
    return found


@pytest.mark.parametrize("name", [*FRAMES, *FUNCTIONS])
def test_values_and_gradients_are_finite_in_every_dtype(name: str) -> None:
    def check(found: Any, data: st.DataObject) -> None:
        dtype = data.draw(DTYPES)
        model, batch = found.model.to(dtype), in_dtype(found.batch, dtype)
        give = of_frames if name in FRAMES else of_functions
        assert all(part.isfinite().all() for part in give(type(found)(model, batch)))
        assert all(gradient.dtype == dtype for gradient in gradients(model, batch).values())

    check_with(framed(name) if name in FRAMES else functional(name), check)


# Noise --------------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 2**63 - 1)
#: Seeds may be any number that a generator of torch's takes.
KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), min_size=1, max_size=5).map(tuple)
EPISODES = st.lists(NUMBERS | st.integers(0, 9), min_size=1, max_size=4, unique=True)
many_examples = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@many_examples
@given(EPISODES, KEYS, st.randoms(use_true_random=False))
def test_noise_is_a_function_of_id_and_key(
    episodes: list[int], key: tuple[int, ...], random: Any
) -> None:
    together = sequence_noise(torch.tensor(episodes), (2, 3), *key)
    assert together.shape == (len(episodes), 2, 3) and together.dtype == torch.float32
    random.random(), torch.rand(1)
    order = random.sample(range(len(episodes)), len(episodes))
    permuted = sequence_noise(torch.tensor(episodes)[order], (2, 3), *key)
    assert torch.equal(permuted, together[order])
    for episode, row in zip(episodes, together, strict=True):
        alone = sequence_noise(torch.tensor([episode]), (2, 3), *key)
        assert torch.equal(alone[0], row)


@many_examples
@given(EPISODES, KEYS, KEYS)
@example([0], (0,), (0, 0))
@example([0], (0, 1), (1, 0))
@example([0], (2**63,), (0,))
def test_other_ids_and_keys_have_other_noise(
    episodes: list[int], key: tuple[int, ...], other: tuple[int, ...]
) -> None:
    ids = torch.tensor(episodes)
    hashes = hashed(ids.numpy(), *key)
    assert len(set(hashes.tolist())) == len(episodes)
    if other != key:
        assert not set(hashes.tolist()) & set(hashed(ids.numpy(), *other).tolist())
        assert not torch.equal(sequence_noise(ids, (8,), *key), sequence_noise(ids, (8,), *other))


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32), st.sampled_from(Purpose), st.integers(0, 3), st.integers(0, 10**6))
def test_noise_is_standard_normal(seed: int, purpose: Purpose, draw: int, step: int) -> None:
    """With neighbouring ids, whose generators must not be neighbours."""
    noise = sequence_noise(torch.arange(500), (20,), seed, purpose, draw, step).double()
    error = noise.numel() ** -0.5
    assert abs(noise.mean()) < 5 * error
    assert abs(noise.square().mean() - 1) < 5 * 2**0.5 * error
    assert abs(noise.pow(3).mean()) < 5 * 15**0.5 * error
    assert abs(noise.pow(4).mean() - 3) < 5 * 96**0.5 * error
    for one, two in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs((one * two).mean()) < 6 * error
