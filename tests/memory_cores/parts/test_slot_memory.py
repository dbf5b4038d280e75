"""Look-ups by query and pooling, in a DNC."""

import torch

from memory_cores import DNC, Items, MemorySizes

SIZES = MemorySizes(control=6, key=3, value=4, steps=5, query=2)


def stacked(core: DNC, steps: int) -> list:
    """The states of a random unroll."""
    generator = torch.Generator().manual_seed(0)
    draw = torch.randn(steps, 2, 13, generator=generator)
    state, states = core.initial_state(2, draw), []
    for control, key, value in (x.split([6, 3, 4], 1) for x in draw):
        items = Items(key.unsqueeze(1), value.unsqueeze(1), torch.ones(2, 1, dtype=torch.bool))
        state = core.write(state, control, items)
        states.append(state)
    return states


def test_a_sharp_query_returns_the_planted_word() -> None:
    torch.manual_seed(0)
    core = DNC(SIZES, word_size=8)
    state = stacked(core, 5)[-1]
    with torch.no_grad():
        planted = state.memory[0, 3]
        core.query_interface.weight.zero_()
        core.query_interface.bias.copy_(torch.cat([planted, torch.tensor([1e4])]))
        values = core.lookup(core.snapshot(state), torch.zeros(2, 7, 2))
        expected = core.value_of_word(planted)
    assert values.shape == (2, 7, 4)
    torch.testing.assert_close(values[0], expected.expand(7, 4))


def test_all_steps_at_once_equal_one_after_the_other() -> None:
    torch.manual_seed(0)
    core = DNC(SIZES, word_size=8)
    snapshots = [core.snapshot(state) for state in stacked(core, 5)]
    queries = torch.randn(2, 5, 7, 2)
    together = core.lookup(
        type(snapshots[0])(*map(lambda s: torch.stack(s, 1), zip(*snapshots, strict=True))), queries
    )
    for t, snapshot in enumerate(snapshots):
        torch.testing.assert_close(together[:, t], core.lookup(snapshot, queries[:, t]))


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
        written = (core.snapshot(state).usage > 0.5).unsqueeze(2)
        assert written.sum() == 2 * steps
        expected = (core.value_of_word(state.memory) * written).sum(1)
        torch.testing.assert_close(total, expected, atol=1e-3, rtol=0)
