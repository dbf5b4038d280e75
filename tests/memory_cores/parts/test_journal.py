"""Rows in a journal and a base: search, copies, overwriting and settling."""

import torch
from torch import Tensor

from memory_cores.parts.journal import NEVER, JournaledRows

ANY = torch.ones(1, 1)  # something will be written
THRESHOLD = 0.005
NO_READ = torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1), THRESHOLD


def journal(rows: list[list[float]], ages: list[int]) -> JournaledRows:
    """Build one sequence's journal, without a base."""
    empty = JournaledRows.empty(1, len(rows), len(rows[0]), torch.zeros(1, dtype=torch.float64))
    return empty._replace(rows=torch.tensor([rows]).double(), age=torch.tensor([ages]))


def with_base() -> JournaledRows:
    """Build a base of rows 2, 0, 1, oldest first, and three empty places, the last for a write."""
    rows = journal([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]], [5, 2, 9])
    settled, _ = rows.settled(3, torch.zeros(1, 1, dtype=torch.int64), left=3)
    return settled


def key_of(*key: float) -> Tensor:
    return torch.tensor([[key]]).double()


def test_nearest_rows_have_the_largest_cosine_and_empty_places_are_skipped() -> None:
    rows = journal([[1.0, 0.0], [5.0, 5.0], [0.0, -1.0], [0.0, 0.0]], [1, 1, 1, NEVER])
    places, there = rows.nearest(key_of(2.0, 1.0), 4)
    assert places.tolist() == [[[1, 0, 2, 0]]] and there.tolist() == [[[True] * 3 + [False]]]
    assert rows.at(places)[0, 0, 0].tolist() == [5.0, 5.0]


def test_a_query_is_compared_in_the_rows_precision_under_autocast() -> None:
    rows = journal([[1.0, 0.001], [1.0, 0.002]], [1, 1])
    with torch.autocast("cpu", torch.bfloat16):
        places, _ = rows._replace(rows=rows.rows.float()).nearest(key_of(1.0, 0.002).float(), 1)
    assert places.tolist() == [[[1]]]


def test_settled_rows_are_in_the_order_of_their_last_access_and_places_follow_them() -> None:
    rows = journal([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [3.0, 3.0]], [5, 2, NEVER, 9])
    rows.rows.requires_grad_()
    settled, places = rows.settled(3, torch.tensor([[0, 1, 3]]), left=2)
    assert settled.base.tolist() == [[[3.0, 3.0], [1.0, 0.0], [0.0, 2.0]]]
    assert settled.at(places.unsqueeze(1))[0, 0].tolist() == [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    assert settled.age.tolist() == [[NEVER, NEVER]] and not settled.base.requires_grad


def test_empty_places_settle_as_rows_that_are_never_found() -> None:
    rows = journal([[1.0, 0.0], [0.0, 0.0]], [5, NEVER])
    settled, _ = rows.settled(2, torch.zeros(1, 1, dtype=torch.int64), left=1)
    places, there = settled.nearest(key_of(-1.0, 0.0), 2)
    assert there.tolist() == [[[True, False]]] and places.tolist() == [[[2, 0]]]


def test_a_base_row_read_by_two_heads_is_copied_once_and_hidden() -> None:
    rows = with_base()
    opened, places = rows.opened(
        torch.tensor([[4, 4, 5]]), torch.tensor([[0.003, 0.003, 0.001]]), THRESHOLD
    )
    assert opened.base is rows.base and places.tolist() == [[3, 3, 5]]
    assert opened.rows[0, 3:].tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
    # The first was accessed, with the mass of both; the third keeps its age among the base's rows.
    ages = opened.age[0].tolist()
    assert ages[3] == 0 and 0 < ages[5] < NEVER and ages[4] == ages[6] == NEVER
    found, there = opened.nearest(key_of(1.0, 0.1), 4)
    assert found[there].tolist() == [3, 7, 5] and opened.origin[0, 3:].tolist() == [1, 3, 2, 3]


def test_writes_go_to_empty_places_then_base_rows_then_journal_rows() -> None:
    rows, writes = with_base(), []
    for _ in range(6):
        rows, _ = rows.opened(*NO_READ)
        rows, place = rows.older().least_recently_accessed(5, ANY)
        writes.append((place.item(), rows.origin.gather(1, place).item()))
        mass = torch.zeros_like(rows.age).scatter(1, place, 1)
        rows = rows.accessed(mass, THRESHOLD)
    # Two new slots of five, the three base rows (3 is none), then the first slot again.
    assert [origin for _, origin in writes] == [3, 3, 0, 1, 2, 3]
    assert writes[5][0] == writes[0][0]


def test_no_row_is_replaced_where_nothing_will_be_written() -> None:
    rows, _ = with_base().opened(*NO_READ)
    for present, origin in ((0, 3), (1, 0)):
        after, place = rows.least_recently_accessed(3, torch.full((1, 1), present))
        assert after.origin.gather(1, place).item() == origin


def test_an_age_counts_steps_since_an_access_above_the_threshold() -> None:
    rows = journal([[1.0], [1.0], [0.0]], [3, 0, NEVER]).older()
    assert rows.age.tolist() == [[4, 1, NEVER]]
    accessed = rows.accessed(torch.tensor([[0.006, 0.004, 0.0]]), THRESHOLD)
    assert accessed.age.tolist() == [[0, 1, NEVER]]
