"""The contract of every core in models that know all items beforehand and read by query."""

from typing import Any

import pytest
import torch
from torch import Tensor

from memory_cores import CORES, Items, MemoryCore, TransformerCache
from memory_cores.parts.real_points import RealPoints
from tests.conformance.cores import (
    BATCH,
    SIZES,
    Sequences,
    build_by_query,
    every_core,
    every_way,
    random_sequences,
    recall,
    recall_step_by_step,
    sequence,
)


def assert_close(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> None:
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


@every_core
def test_padding_queries_may_be_skipped(core_class: type[MemoryCore]) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    snapshot = core.unroll(sequences.controls, sequences.items).snapshot
    mask = torch.rand(sequences.queries.shape[:-1]) < 0.5
    found = core.lookup(snapshot, sequences.queries, RealPoints(mask))
    expected = core.lookup(snapshot, sequences.queries)
    torch.testing.assert_close(found[mask], expected[mask], rtol=0, atol=1e-10)
    assert found.isfinite().all()


@every_way
@pytest.mark.parametrize("shape", ["small", "wide"])
@pytest.mark.parametrize(("steps", "items"), [(7, 4), (1, 4), (7, 0), (1, 0)])
def test_all_steps_at_once_equal_step_by_step(
    core_class: type[MemoryCore], shape: str, steps: int, items: int
) -> None:
    core, sequences = build_by_query(core_class, shape=shape), random_sequences(steps, items)
    found, total, number, kl = recall(core, sequences)
    assert found.shape == (BATCH, steps, 6, core.lookup_size)
    assert total.shape == (BATCH, steps, SIZES.value) and number.shape == (BATCH, steps, 1)
    assert kl.shape == (BATCH, steps)
    assert_close((found, total, number, kl), recall_step_by_step(core, sequences))


@pytest.mark.parametrize(
    ("core_class", "options"),
    [*((core, {}) for core in CORES), (TransformerCache, {"positions": "alibi", "top_k": 3})],
)
def test_all_steps_at_once_equal_step_by_step_under_autocast(
    core_class: type[MemoryCore], options: dict[str, Any]
) -> None:
    """Over 50 steps, of which bfloat16 does not tell neighbouring ones apart if counted from 0."""
    core = build_by_query(core_class, dtype=torch.float32, **options)
    sequences = random_sequences(steps=50, dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found, expected = (how(core, sequences)[0] for how in (recall, recall_step_by_step))
    assert (found - expected).float().norm() <= 0.01 * expected.float().norm()


@every_way
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_gradients_of_recall_reach_every_parameter(
    core_class: type[MemoryCore], shape: str
) -> None:
    """Parameters without a gradient break distributed training in its second step."""
    core, sequences = build_by_query(core_class, shape=shape), random_sequences()
    found, total, _, _ = recall(core, sequences)
    if not list(core.parameters()):
        pytest.skip("has no parameters")
    (found * torch.randn_like(found)).sum().add((total * torch.randn_like(total)).sum()).backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@every_core
def test_a_batch_may_be_empty(core_class: type[MemoryCore]) -> None:
    core, (controls, items, queries) = build_by_query(core_class), random_sequences()
    none = Sequences(controls[:0], Items(*(part[:0] for part in items)), queries[:0])
    shapes = [(0, *part.shape[1:]) for part in recall(core, Sequences(controls, items, queries))]
    assert [part.shape for part in recall(core, none)] == shapes


@every_core
def test_models_that_read_by_query_have_no_read_heads(core_class: type[MemoryCore]) -> None:
    core = build_by_query(core_class)
    control = torch.ones(BATCH, SIZES.control, dtype=torch.float64)
    state, (_, items) = core.initial_state(BATCH, like=control), sequence()[0]
    for reads, *_ in (core.read(state, control), core.write_and_read(state, control, items)):
        assert core.context_size == 0 and reads.shape == (BATCH, 0)


@every_core
def test_permuting_a_batch_permutes_recall(core_class: type[MemoryCore]) -> None:
    core, sequences, order = build_by_query(core_class), random_sequences(), [2, 0, 1]
    controls, items, queries = sequences
    permuted = Sequences(controls[order], Items(*(part[order] for part in items)), queries[order])
    straight = tuple(part[order] for part in recall(core, sequences))
    assert_close(recall(core, permuted), straight)


@every_way
def test_nan_in_padding_changes_neither_recall_nor_gradients(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    controls, items, queries = sequences
    hole, mask = ~items.mask.unsqueeze(3), items.mask
    spoilt = Items(*(part.masked_fill(hole, torch.nan) for part in items[:2]), mask)

    def gradients(sequences: Sequences) -> tuple[Tensor, ...]:
        found, total, *rest = recall(core, sequences)
        leaves = [*core.parameters(), controls, *items[:2], queries]
        loss = found.square().sum() + total.square().sum()
        if not loss.requires_grad:
            return found, total, *rest
        grads = torch.autograd.grad(loss, leaves, allow_unused=True)
        assert all(grad is None or grad.isfinite().all() for grad in grads)
        return found, total, *rest, *(grad for grad in grads if grad is not None)

    assert_close(gradients(Sequences(controls, spoilt, queries)), gradients(sequences))


@every_core
def test_later_items_do_not_change_earlier_recall(core_class: type[MemoryCore]) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    controls, items, queries = sequences
    later = torch.arange(SIZES.steps).view(1, -1, 1, 1) > 3
    changed = Items(*(torch.where(later, part + 1, part) for part in items[:2]), items.mask)
    after = recall(core, Sequences(controls, changed, queries))
    before = recall(core, sequences)
    assert_close(tuple(part[:, :4] for part in after), tuple(part[:, :4] for part in before))


@every_core
def test_an_item_changes_later_recall_if_items_are_stored(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    controls, items, queries = sequences
    at_step = torch.arange(SIZES.steps).view(1, -1, 1) == 3
    found = [
        recall(core, Sequences(controls, items._replace(mask=mask), queries))[0]
        for mask in (items.mask | at_step, items.mask & ~at_step)
    ]
    differences = (found[0] - found[1]).abs().amax((0, 2, 3))
    assert not differences[:3].any()
    assert (differences[4] > 1e-9) == core.holds_items


@pytest.mark.parametrize("core_class", CORES)
def test_a_look_up_sees_which_value_came_with_which_key(core_class: type[MemoryCore]) -> None:
    """The points of a step, not their mean: two sets with the same keys, values and means."""
    core, sequences = build_by_query(core_class), random_sequences(steps=1)
    keys, values, _ = sequences.items
    mask = torch.ones(keys.shape[:3], dtype=torch.bool)
    found = [
        recall(core, sequences._replace(items=Items(keys, paired, mask)))[0]
        for paired in (values, values.flip(2))
    ]
    assert ((found[0] - found[1]).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("core_class", [core for core in CORES if core.starts_empty])
def test_an_empty_memory_reads_zero(core_class: type[MemoryCore]) -> None:
    found, total, number, _ = recall(build_by_query(core_class), random_sequences())
    found = found[..., : SIZES.value]
    assert found[0, 0].any(-1).all() and not found[1].any()  # the second sequence has no items
    assert not total[1].any() and not number[1].any()


@pytest.mark.parametrize("core_class", [core for core in CORES if core.uncertain])
def test_an_uncertain_core_is_more_certain_at_its_items(core_class: type[MemoryCore]) -> None:
    core, (controls, items, _) = build_by_query(core_class), random_sequences()
    sequences = Sequences(controls, items, items.keys)
    hidden = items._replace(mask=torch.zeros_like(items.mask))
    with_items, without = (
        recall(core, sequences._replace(items=rows))[0][..., -1] for rows in (items, hidden)
    )
    assert (with_items > 0).all()
    assert (with_items[items.mask] < 0.9 * without[items.mask]).all()
    torch.testing.assert_close(with_items[1], without[1])  # a sequence without items


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_recall_follows_dtype_and_device(core_class: type[MemoryCore], dtype: torch.dtype) -> None:
    core = build_by_query(core_class, dtype=dtype)
    parts = recall(core, random_sequences(dtype=dtype))
    assert all(part.dtype == dtype and part.isfinite().all() for part in parts)
    on_meta = recall(core.to("meta"), random_sequences(dtype=dtype, device="meta"))
    assert all(part.is_meta for part in on_meta)
    assert [part.shape for part in on_meta] == [part.shape for part in parts]


@every_core
def test_recall_compiles_into_one_graph_and_runs_under_autocast(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = (
        build_by_query(core_class, dtype=torch.float32),
        random_sequences(3, dtype=torch.float32),
    )
    torch.compiler.reset()
    compiled = torch.compile(lambda inputs: recall(core, inputs), fullgraph=True, backend="eager")
    for ours, theirs in zip(compiled(sequences), recall(core, sequences), strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.autocast("cpu", torch.bfloat16):
        assert all(part.isfinite().all() for part in recall(core, sequences))
