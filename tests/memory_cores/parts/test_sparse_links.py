"""The DNC with K links per slot against the one with a full matrix."""

import pytest
import torch
from torch import Tensor

from memory_cores import DNC, MemorySizes
from memory_cores.parts.sparse_links import SparseRows, linked_rows, no_links, strongest_of
from tests.memory_cores.random_use import empty, random_step, randomised

SIZES = MemorySizes(control=3, key=2, value=2, steps=7)


def make_pair(links: int, slots: int = 6, write_heads: int = 2) -> tuple[DNC, DNC]:
    """Build the same DNC with a full matrix and with K links per slot."""
    shape = {"slots": slots, "word_size": 4, "read_heads": 2, "write_heads": write_heads}
    torch.manual_seed(0)
    full = randomised(DNC(SIZES, **shape), 1.0)
    sparse = DNC(SIZES, **shape, sparse_links=links).double()
    sparse.load_state_dict(full.state_dict())
    return full, sparse


def matrix(slots: Tensor, links: Tensor) -> Tensor:
    """Build [B, H, N, N] from the entries of its rows."""
    full = links.new_zeros(*links.shape[:3], links.shape[2])
    return full.scatter_add(3, slots, links)


@pytest.mark.parametrize("links", [6, 100])
def test_as_many_links_as_slots_are_the_full_matrix_with_its_gradients(links: int) -> None:
    cores = make_pair(links)
    states, losses = [empty(core, 3) for core in cores], [0.0, 0.0]
    for t in range(30):
        control, items = random_step(SIZES, 3, items=t % 3)
        for i, core in enumerate(cores):
            written = core.write(states[i], control, items)
            reads, states[i] = core.read(written, control)
            losses[i] = losses[i] + (reads * (t + 1)).sum()
        full, sparse = states
        torch.testing.assert_close(matrix(sparse.sources, sparse.from_sources), full.link)
        torch.testing.assert_close(matrix(sparse.targets, sparse.to_targets), full.link.mT)
        torch.testing.assert_close(sparse.read_weights, full.read_weights, rtol=0, atol=1e-9)
    one, other = (
        torch.autograd.grad(loss, list(core.parameters()))
        for loss, core in zip(losses, cores, strict=True)
    )
    for ours, theirs in zip(other, one, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


def test_sparse_links_never_exceed_the_full_matrix() -> None:
    full, sparse = make_pair(2, slots=8, write_heads=1)
    states = [empty(core, 3) for core in (full, sparse)]
    for _ in range(30):
        control, items = random_step(SIZES, 3, items=1)
        with torch.no_grad():
            states[0] = full.write(states[0], control, items)
            # The same history of writes, so that the links are of the same matrix.
            weights, before = states[0].write_weights, states[1]
            rows = SparseRows(before.sources, before.from_sources)
            rows = linked_rows(rows, weights, weights, before.precedence)
            states[1] = before._replace(
                sources=rows.slots, from_sources=rows.links, precedence=states[0].precedence
            )
            _, states[0] = full.read(states[0], control)
        assert (matrix(*rows) <= states[0].link + 1e-12).all() and (rows.links >= 0).all()


def test_one_link_is_enough_for_sure_writes() -> None:
    rows, precedence = no_links((1, 1, 5, 1), torch.zeros(1)), torch.zeros(1, 1, 5)
    for slot in (3, 0, 4):
        weights = torch.eye(5)[[slot]].unsqueeze(0)
        rows, precedence = linked_rows(rows, weights, weights, precedence), weights
    expected = torch.zeros(5, 5)
    expected[0, 3] = expected[4, 0] = 1
    assert torch.equal(matrix(*rows)[0, 0], expected)


def test_entries_of_one_column_are_added_and_the_strongest_kept() -> None:
    def rows(slots: list[int], links: list[float]) -> SparseRows:
        return SparseRows(torch.tensor([[[slots]]]), torch.tensor([[[links]]]))

    found = strongest_of(rows([0, 1, 2], [0.5, 0.1, 0.0]), rows([1, 3, 4], [0.3, 0.2, 0.0]))
    assert found.slots.flatten().tolist() == [0, 1, 3]
    torch.testing.assert_close(found.links.flatten(), torch.tensor([0.5, 0.4, 0.2]))


def test_no_links_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="sparse_links must be at least 1, got 0"):
        DNC(SIZES, sparse_links=0)
