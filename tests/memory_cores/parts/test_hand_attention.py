"""Storage and retrieval of an untrained RMR by the hands of a clock."""

import torch
import torch.nn.functional as F

from memory_cores import RMR, Items
from memory_cores.parts.associative import spread_lags
from memory_cores.parts.attention import MultiheadAttention
from memory_cores.parts.clock import centre, ticks
from memory_cores.parts.hand_attention import attend_by_hands, hands_at
from tests.memory_cores.parts.test_associative import SIZES, STEPS, UNITS, ticking


def test_hands_have_equal_lengths_and_the_directions_of_the_clock() -> None:
    ends = hands_at([0, 9, 4], SIZES.clock) - centre(SIZES.clock)
    lengths = ends.unflatten(1, (8, 2)).norm(dim=2)
    torch.testing.assert_close(lengths, torch.full((3, 8), 0.4))
    running = ticks(SIZES.clock, 9)[[0, 9, 4]] - centre(SIZES.clock)
    alike = F.cosine_similarity(ends.unflatten(1, (8, 2)), running.unflatten(1, (8, 2)), dim=2)
    torch.testing.assert_close(alike, torch.ones(3, 8))


def test_between_two_steps_hands_lie_between_theirs() -> None:
    hands = (hands_at([4, 4.5, 5], SIZES.clock) - centre(SIZES.clock)).unflatten(1, (8, 2))
    before, between, after = torch.view_as_complex(hands.contiguous())
    torch.testing.assert_close(between.abs(), torch.full((8,), 0.4))
    half = (between / before).angle() / (after / before).angle()
    assert ((half > 0.3) & (half < 0.7)).all()


def test_attention_by_hands_sees_nothing_else_and_passes_values() -> None:
    torch.manual_seed(0)
    attention = MultiheadAttention(UNITS, 32)
    attend_by_hands(attention, SIZES.clock)
    keys, values = torch.randn(1, 5, UNITS), torch.randn(1, 5, 32)
    keys[:, :, :16] = hands_at([1, 3, 5, 7, 9], SIZES.clock)
    queries = torch.randn(1, 2, UNITS)
    queries[:, :, :16] = hands_at([3, 9], SIZES.clock)
    mask = torch.ones(1, 5, dtype=torch.bool)
    weights = attention.weights(attention.ask(queries), attention.prepare(keys, values, mask))
    assert (weights[0, :, 0, 1] > 0.5).all() and (weights[0, :, 1, 4] > 0.5).all()
    other = torch.randn_like(queries)
    other[:, :, :16] = queries[:, :, :16]
    torch.testing.assert_close(attention.ask(other), attention.ask(queries))
    single = attention(queries, keys[:, :1], values[:, :1], mask[:, :1])
    torch.testing.assert_close(single, values[:, :1].expand(1, 2, 32), atol=1e-5, rtol=1e-5)


def test_a_cell_of_rmr_keeps_the_item_of_its_step_and_heads_find_it_by_time() -> None:
    torch.manual_seed(0)
    core = RMR(SIZES._replace(value=32))
    states, latents = ticking(6), torch.randn(STEPS, 6, 1, 32)
    memory = core.initial_state(6, latents)
    present = torch.ones(6, 1, dtype=torch.bool)
    with torch.no_grad():
        for key, latent, control in zip(states, latents, states[1:], strict=False):
            item = Items(key.unsqueeze(1), latent, present)
            _, memory, _ = core.write_and_read(memory, control, item)
    # The first state follows one tick of the clock, so its item is in cell 1.
    stored = memory.values[:, 1:STEPS]
    items = latents[:-1, :, 0].transpose(0, 1)
    alike = F.cosine_similarity(stored.unsqueeze(2), items.unsqueeze(1), dim=3).mean(0)
    steps = torch.arange(STEPS - 1)
    apart = (steps.unsqueeze(1) - steps).abs()
    assert alike[apart == 0].mean() > 0.4
    assert alike[apart >= 4].abs().mean() < 0.15
    assert ((alike.argmax(1) - steps).abs() <= 2).all()
    for head, lag in enumerate(spread_lags(5, STEPS)):
        nearest = round(STEPS - lag)
        weights = memory.read_weights.mean(0)[head]
        assert weights[nearest - 1 : nearest + 2].sum() > 0.6
    # The tracker copies a value within the bounds of tanh.
    values = torch.linspace(-2, 2, 32).expand(1, 25, 32)
    zeros = torch.zeros_like(values)
    copied, _ = core.value_tracker(zeros, zeros, torch.zeros(1, 25, UNITS), values)
    torch.testing.assert_close(copied, values.tanh().tanh(), atol=0.02, rtol=0)
