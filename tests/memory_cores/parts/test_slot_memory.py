"""Pooling of slots, in a DNC."""

import torch

from memory_cores import DNC, Items, MemorySizes

SIZES = MemorySizes(control=6, key=3, value=4, steps=5, query=3)


def stacked(core: DNC, steps: int) -> list:
    """Return the states of a random unroll."""
    generator = torch.Generator().manual_seed(0)
    draw = torch.randn(steps, 2, 13, generator=generator)
    state, states = core.initial_state(2, draw), []
    for control, key, value in (x.split([6, 3, 4], 1) for x in draw):
        items = Items(key.unsqueeze(1), value.unsqueeze(1), torch.ones(2, 1, dtype=torch.bool))
        state = core.write(state, control, items)
        states.append(state)
    return states


def test_a_pool_counts_what_was_written_and_starts_empty() -> None:
    torch.manual_seed(0)
    core = DNC(SIZES, word_size=8)
    total, count = core.pool(core.initial_state(2, torch.zeros(1)))
    assert count.abs().max() == 0
    assert total.abs().max() == 0
    with torch.no_grad():  # gates wide open: one slot a step, nothing freed
        _, _, _, _, allocation, write, free = core.write_interface.bias.split(core._write_parts)
        core.write_interface.weight[-7:].zero_()
        allocation.fill_(30.0), write.fill_(30.0), free.fill_(-30.0)
    for steps in (1, 3):
        state = stacked(core, steps)[-1]
        total, count = core.pool(state)
        torch.testing.assert_close(count, torch.full((2, 1), float(steps)), atol=1e-4, rtol=0)
        written = (core.stored(state).share > 0.5).unsqueeze(2)
        assert written.sum() == 2 * steps
        expected = (core.value_of_word(state.memory) * written).sum(1)
        torch.testing.assert_close(total, expected, atol=1e-3, rtol=0)
