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
from tests.conformance.rules import require, require_close


@every_core
def test_padding_queries_may_be_skipped(core_class: type[MemoryCore]) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    snapshot = core.unroll(sequences.controls, sequences.items).snapshot
    mask = torch.rand(sequences.queries.shape[:-1]) < 0.5
    found = core.lookup(snapshot, sequences.queries, RealPoints(mask))
    expected = core.lookup(snapshot, sequences.queries)
    rule = "a look-up with the mask of real queries must give the same values for these"
    require_close(found[mask], expected[mask], rule)
    require(found.isfinite().all(), "a look-up must be finite at padding queries, too")


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
    rule = "a look-up in all steps at once must return the same as look-ups step by step"
    require_close((found, total, number, kl), recall_step_by_step(core, sequences), rule)


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
    close = (found - expected).float().norm() <= 0.01 * expected.float().norm()
    require(close, "under autocast, look-ups in all steps at once must equal those step by step")


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
        reached = parameter.grad is not None and parameter.grad.any()
        require(reached, f"{name} gets no gradient: look-ups and pools do not depend on it")


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
    rule = "permuting a batch must permute the result: sequences do not see each other"
    require_close(recall(core, permuted), straight, rule)


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
        finite = all(grad is None or grad.isfinite().all() for grad in grads)
        require(finite, "gradients must be finite, whatever is in padding")
        return found, total, *rest, *(grad for grad in grads if grad is not None)

    rule = "NaN in padding must change neither look-ups nor gradients"
    require_close(gradients(Sequences(controls, spoilt, queries)), gradients(sequences), rule)


@every_core
def test_later_items_do_not_change_earlier_recall(core_class: type[MemoryCore]) -> None:
    core, sequences = build_by_query(core_class), random_sequences()
    controls, items, queries = sequences
    later = torch.arange(SIZES.steps).view(1, -1, 1, 1) > 3
    changed = Items(*(torch.where(later, part + 1, part) for part in items[:2]), items.mask)
    after = recall(core, Sequences(controls, changed, queries))
    before = recall(core, sequences)
    earlier = (tuple(part[:, :4] for part in parts) for parts in (after, before))
    require_close(*earlier, "look-ups of a step must not see later items")


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
    require(not differences[:3].any(), "look-ups of a step must not see later items")
    changed = bool(differences[4] > 1e-9)
    rule = "an item must change later look-ups if holds_items is True, and none if it is False"
    require(changed == core.holds_items, rule)


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
    changed = (found[0] - found[1]).abs().amax((1, 2, 3)) > 1e-3
    rule = "a look-up must see the step's own points, each value with its key"
    require(changed.all(), f"{rule}: giving the keys each other's values changed nothing")


@pytest.mark.parametrize("core_class", [core for core in CORES if core.starts_empty])
def test_an_empty_memory_reads_zero(core_class: type[MemoryCore]) -> None:
    found, total, number, _ = recall(build_by_query(core_class), random_sequences())
    found = found[..., : SIZES.value]
    require(found[0, 0].any(-1).all(), "a look-up must see the step's own points")
    # The second sequence has no items.
    rule = "a look-up in an empty memory must return 0, unless starts_empty is False"
    require(not found[1].any(), rule)
    require(not total[1].any() and not number[1].any(), "the pool of an empty memory must be 0")


@pytest.mark.parametrize("core_class", [core for core in CORES if core.uncertain])
def test_an_uncertain_core_is_more_certain_at_its_items(core_class: type[MemoryCore]) -> None:
    core, (controls, items, _) = build_by_query(core_class), random_sequences()
    sequences = Sequences(controls, items, items.keys)
    hidden = items._replace(mask=torch.zeros_like(items.mask))
    with_items, without = (
        recall(core, sequences._replace(items=rows))[0][..., -1] for rows in (items, hidden)
    )
    require((with_items > 0).all(), "look-ups of an uncertain core must return positive variances")
    surer = with_items[items.mask] < 0.9 * without[items.mask]
    require(surer.all(), "the variance at an item's key must be below that without the item")
    # A sequence without items.
    require_close(
        with_items[1], without[1], "an empty set must not change the variance", 1e-7, 1e-7
    )


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_recall_follows_dtype_and_device(core_class: type[MemoryCore], dtype: torch.dtype) -> None:
    core = build_by_query(core_class, dtype=dtype)
    parts = recall(core, random_sequences(dtype=dtype))
    require(all(part.dtype == dtype for part in parts), f"look-ups and pools must be {dtype}")
    require(all(part.isfinite().all() for part in parts), f"they must be finite in {dtype}")
    on_meta = recall(core.to("meta"), random_sequences(dtype=dtype, device="meta"))
    require(all(part.is_meta for part in on_meta), "look-ups and pools must follow the device")
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
        rule = "compiled, an unroll must give the same look-ups"
        require_close(ours, theirs, rule, rtol=1.3e-6, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        finite = all(part.isfinite().all() for part in recall(core, sequences))
    require(finite, "look-ups and pools must be finite under autocast")
