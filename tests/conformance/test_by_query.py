"""Promises of every core to models that know all items beforehand, and read by query."""

import pytest
import torch
from torch import Tensor

from memory_cores import CORES, Items, MemoryCore
from memory_cores.parts.real_points import RealPoints
from tests.conformance.cores import (
    BATCH,
    SIZES,
    Known,
    asked,
    every_core,
    known,
    recall,
    recall_step_by_step,
    sequence,
)


def assert_close(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> None:
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


@every_core
def test_queries_that_are_padding_may_be_left_out(core_class: type[MemoryCore]) -> None:
    core, sequences = asked(core_class), known()
    snapshot = core.unroll(sequences.controls, sequences.items).snapshot
    mask = torch.rand(sequences.queries.shape[:-1]) < 0.5
    found = core.lookup(snapshot, sequences.queries, RealPoints(mask))
    expected = core.lookup(snapshot, sequences.queries)
    torch.testing.assert_close(found[mask], expected[mask], rtol=0, atol=1e-10)
    assert found.isfinite().all()


@every_core
@pytest.mark.parametrize("shape", ["small", "wide"])
@pytest.mark.parametrize(("steps", "items"), [(7, 4), (1, 4), (7, 0), (1, 0)])
def test_all_steps_at_once_equal_step_by_step(
    core_class: type[MemoryCore], shape: str, steps: int, items: int
) -> None:
    core, sequences = asked(core_class, shape=shape), known(steps, items)
    found, total, number, kl = recall(core, sequences)
    assert found.shape == (BATCH, steps, 6, core.lookup_size)
    assert total.shape == (BATCH, steps, SIZES.value) and number.shape == (BATCH, steps, 1)
    assert kl.shape == (BATCH, steps)
    assert_close((found, total, number, kl), recall_step_by_step(core, sequences))


@every_core
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_gradients_of_what_is_recalled_reach_every_parameter(
    core_class: type[MemoryCore], shape: str
) -> None:
    """A parameter without one ends a training on several devices in its second step."""
    core, sequences = asked(core_class, shape=shape), known()
    found, total, _, _ = recall(core, sequences)
    if not list(core.parameters()):
        pytest.skip("has no parameters")
    (found * torch.randn_like(found)).sum().add((total * torch.randn_like(total)).sum()).backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@every_core
def test_models_that_ask_by_query_have_no_read_heads(core_class: type[MemoryCore]) -> None:
    core = asked(core_class)
    control = torch.ones(BATCH, SIZES.control, dtype=torch.float64)
    state, (_, items) = core.initial_state(BATCH, like=control), sequence()[0]
    for reads, *_ in (core.read(state, control), core.write_and_read(state, control, items)):
        assert core.context_size == 0 and reads.shape == (BATCH, 0)


@every_core
def test_permuting_a_batch_permutes_what_is_recalled(core_class: type[MemoryCore]) -> None:
    core, sequences, order = asked(core_class), known(), [2, 0, 1]
    controls, items, queries = sequences
    permuted = Known(controls[order], Items(*(part[order] for part in items)), queries[order])
    straight = tuple(part[order] for part in recall(core, sequences))
    assert_close(recall(core, permuted), straight)


@every_core
def test_padding_with_nan_changes_nothing_that_is_recalled_nor_its_gradients(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = asked(core_class), known()
    controls, items, queries = sequences
    hole, mask = ~items.mask.unsqueeze(3), items.mask
    spoilt = Items(*(part.masked_fill(hole, torch.nan) for part in items[:2]), mask)

    def gradients(sequences: Known) -> tuple[Tensor, ...]:
        found, total, *rest = recall(core, sequences)
        leaves = [*core.parameters(), controls, *items[:2], queries]
        loss = found.square().sum() + total.square().sum()
        if not loss.requires_grad:
            return found, total, *rest
        grads = torch.autograd.grad(loss, leaves, allow_unused=True)
        assert all(grad is None or grad.isfinite().all() for grad in grads)
        return found, total, *rest, *(grad for grad in grads if grad is not None)

    assert_close(gradients(Known(controls, spoilt, queries)), gradients(sequences))


@every_core
def test_later_items_change_nothing_that_is_recalled_before(core_class: type[MemoryCore]) -> None:
    core, sequences = asked(core_class), known()
    controls, items, queries = sequences
    later = torch.arange(SIZES.steps).view(1, -1, 1, 1) > 3
    changed = Items(*(torch.where(later, part + 1, part) for part in items[:2]), items.mask)
    after = recall(core, Known(controls, changed, queries))
    before = recall(core, sequences)
    assert_close(tuple(part[:, :4] for part in after), tuple(part[:, :4] for part in before))


@every_core
def test_an_item_changes_what_is_recalled_later_if_items_are_held(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = asked(core_class), known()
    controls, items, queries = sequences
    chosen = torch.arange(SIZES.steps).view(1, -1, 1) == 3
    found = [
        recall(core, Known(controls, items._replace(mask=mask), queries))[0]
        for mask in (items.mask | chosen, items.mask & ~chosen)
    ]
    differences = (found[0] - found[1]).abs().amax((0, 2, 3))
    assert not differences[:3].any()
    assert (differences[4] > 1e-9) == core.holds_items


@pytest.mark.parametrize("core_class", CORES)
def test_a_look_up_sees_which_value_came_with_which_key(core_class: type[MemoryCore]) -> None:
    """The points of a step, not their mean: two sets with the same keys, values and means."""
    core, sequences = asked(core_class), known(steps=1)
    keys, values, _ = sequences.items
    mask = torch.ones(keys.shape[:3], dtype=torch.bool)
    found = [
        recall(core, sequences._replace(items=Items(keys, paired, mask)))[0]
        for paired in (values, values.flip(2))
    ]
    assert ((found[0] - found[1]).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("core_class", [core for core in CORES if core.starts_empty])
def test_where_nothing_was_written_the_read_is_zero(core_class: type[MemoryCore]) -> None:
    found, total, number, _ = recall(asked(core_class), known())
    found = found[..., : SIZES.value]
    assert found[0, 0].any(-1).all() and not found[1].any()  # the second sequence has no items
    assert not total[1].any() and not number[1].any()


@pytest.mark.parametrize("core_class", [core for core in CORES if core.uncertain])
def test_an_uncertain_core_is_surer_where_it_was_given_items(core_class: type[MemoryCore]) -> None:
    core, (controls, items, _) = asked(core_class), known()
    sequences = Known(controls, items, items.keys)
    hidden = items._replace(mask=torch.zeros_like(items.mask))
    given, not_given = (
        recall(core, sequences._replace(items=rows))[0][..., -1] for rows in (items, hidden)
    )
    assert (given > 0).all() and (given[items.mask] < 0.9 * not_given[items.mask]).all()
    torch.testing.assert_close(given[1], not_given[1])  # which never has any


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_is_recalled_follows_dtype_and_device(
    core_class: type[MemoryCore], dtype: torch.dtype
) -> None:
    core = asked(core_class, dtype=dtype)
    parts = recall(core, known(dtype=dtype))
    assert all(part.dtype == dtype and part.isfinite().all() for part in parts)
    far = recall(core.to("meta"), known(dtype=dtype, device="meta"))
    assert all(part.is_meta for part in far)
    assert [part.shape for part in far] == [part.shape for part in parts]


@every_core
def test_recall_compiles_into_one_graph_and_runs_under_autocast(
    core_class: type[MemoryCore],
) -> None:
    core, sequences = asked(core_class, dtype=torch.float32), known(3, dtype=torch.float32)
    torch.compiler.reset()
    compiled = torch.compile(lambda known: recall(core, known), fullgraph=True, backend="eager")
    for ours, theirs in zip(compiled(sequences), recall(core, sequences), strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.autocast("cpu", torch.bfloat16):
        assert all(part.isfinite().all() for part in recall(core, sequences))
