"""What every memory core promises. A core is covered by being listed in ``memory_cores.CORES``."""

import functools
import inspect
import io
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from memory_cores import CORES, DNC, Items, MemoryCore, MemorySizes, Weightings
from memory_cores.parts.real_points import RealPoints

SIZES = MemorySizes(control=4, key=3, value=5, steps=7)
ASKED = SIZES._replace(query=3)
BATCH = 3
Settings = dict[str, int]
#: Given only to cores whose constructor has the setting.
SHAPES: dict[str, Settings] = {
    "smallest": {"slots": 1, "word_size": 1, "read_heads": 1, "write_heads": 1},
    "small": {"word_size": 4, "read_heads": 2},
    "wide": {"slots": 5, "word_size": 4, "read_heads": 3, "write_heads": 2},
    "sparse": {"word_size": 4, "read_heads": 2, "sparse_links": 3},
}

BY_OPERATORS = pytest.param(DNC, id="DNC by operators", marks=pytest.mark.operators)
every_core = pytest.mark.parametrize(
    "core_class", [*(pytest.param(core, id=core.__name__) for core in CORES), BY_OPERATORS]
)
every_shape = pytest.mark.parametrize("shape", SHAPES)


class Step(NamedTuple):
    """The inputs of one step."""

    control: Tensor
    items: Items


class Unrolled(NamedTuple):
    """The outputs of a sequence."""

    reads: Tensor  #: [T, B, C]
    weightings: list[Weightings]
    state: Any


def build(
    core_class: type[MemoryCore],
    shape: str = "small",
    dtype: torch.dtype = torch.float64,
    sizes: MemorySizes = SIZES,
    **settings: int,
) -> MemoryCore:
    torch.manual_seed(0)
    known = inspect.signature(core_class).parameters
    settings = {name: n for name, n in {**SHAPES[shape], **settings}.items() if name in known}
    return core_class(sizes, **settings).to(dtype)


def sequence(
    steps: int = SIZES.steps, batch: int = BATCH, seed: int = 1, **kind: Any
) -> list[Step]:
    """Random sets of 1 to 4 items with padding; one sequence has an empty set at step 2."""
    kind = {"dtype": torch.float64, **kind}
    torch.manual_seed(seed)
    result = []
    for t in range(steps):
        count = 1 + t % 4
        mask = torch.rand(batch, count) < 0.7
        if t == 2:
            mask[0] = False
        keys = torch.randn(batch, count, SIZES.key).to(**kind)
        values = torch.randn(batch, count, SIZES.value).to(**kind)
        items = Items(keys, values, mask.to(keys.device))
        result.append(Step(torch.randn(batch, SIZES.control).to(**kind), items))
    return result


def unroll(core: MemoryCore, steps: list[Step], state: Any = None) -> Unrolled:
    if state is None:
        state = core.initial_state(len(steps[0].control), like=steps[0].control)
    reads, weightings = [], []
    for control, items in steps:
        read, state = core.write_and_read(state, control, items)
        reads.append(read)
        weightings.append(core.weightings(state))
    return Unrolled(torch.stack(reads), weightings, state)


def assert_same(ours: Unrolled, theirs: Unrolled) -> None:
    """Equal to rounding in everything that can be seen."""
    close = functools.partial(torch.testing.assert_close, rtol=0, atol=1e-10)
    close(ours.reads, theirs.reads)
    for left, right in zip(ours.weightings, theirs.weightings, strict=True):
        close(left.read, right.read)
        close(left.write, right.write)


def only(steps: list[Step], chosen: Any) -> list[Step]:
    """The chosen sequences of the batch."""
    return [Step(c[chosen], Items(*(part[chosen] for part in items))) for c, items in steps]


def only_weightings(weightings: list[Weightings], chosen: Any) -> list[Weightings]:
    return [Weightings(read=w.read[chosen], write=w.write[chosen]) for w in weightings]


# Shapes and kinds -------------------------------------------------------------------------------


@every_core
@every_shape
@pytest.mark.parametrize("batch", [1, 3])
def test_reads_and_weightings_have_the_promised_shapes(
    core_class: type[MemoryCore], shape: str, batch: int
) -> None:
    core = build(core_class, shape)
    outcome = unroll(core, sequence(batch=batch))
    assert outcome.reads.shape == (SIZES.steps, batch, core.context_size)
    for read, write in outcome.weightings:
        assert read.shape[0] == write.shape[0] == batch
        assert read.ndim == write.ndim == 3 and read.shape[2] == write.shape[2]


@every_core
def test_state_is_a_tuple_of_batched_tensors_of_constant_shape(
    core_class: type[MemoryCore],
) -> None:
    core = build(core_class)
    before = core.initial_state(BATCH, like=torch.zeros(1, dtype=torch.float64))
    # What is kept of the current step's items is as much as there are: here, as at first, none.
    control, items = sequence()[0]
    nothing = Step(control, Items(*(part[:, :0] for part in items)))
    after = unroll(core, [*sequence(), nothing]).state
    assert type(before) is type(after)
    for name in before._fields:
        old, new = getattr(before, name), getattr(after, name)
        assert isinstance(old, Tensor) and old.shape == new.shape and old.dtype == new.dtype, name
        assert len(old) == BATCH, name


@every_core
def test_colour_is_a_hex_code_of_its_own(core_class: type[MemoryCore]) -> None:
    assert len(core_class.look.colour) == 7 and int(core_class.look.colour[1:], 16) >= 0
    assert [core.look.colour for core in CORES].count(core_class.look.colour) == 1


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_everything_follows_the_dtype(core_class: type[MemoryCore], dtype: torch.dtype) -> None:
    outcome = unroll(build(core_class, dtype=dtype), sequence(dtype=dtype))
    assert outcome.reads.dtype == dtype
    for tensor in (*outcome.state, *outcome.weightings[-1]):
        assert tensor.dtype == dtype or not tensor.is_floating_point()


@every_core
def test_everything_follows_the_device_and_nothing_looks_at_the_data(
    core_class: type[MemoryCore],
) -> None:
    core = build(core_class)
    outcome = unroll(core.to("meta"), sequence(device="meta"))
    assert outcome.reads.shape == (SIZES.steps, BATCH, core.context_size)
    for tensor in (outcome.reads, *outcome.state, *outcome.weightings[-1]):
        assert tensor.is_meta


# No hidden state --------------------------------------------------------------------------------


@every_core
def test_state_saved_halfway_continues_exactly(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class, "wide"), sequence()
    whole = unroll(core, steps)
    first = unroll(core, steps[:4])
    file = io.BytesIO()
    torch.save(first.state._asdict(), file)
    file.seek(0)
    loaded = type(first.state)(**torch.load(file, weights_only=True))
    second = unroll(core, steps[4:], loaded)
    assert torch.equal(torch.cat([first.reads, second.reads]), whole.reads)
    assert all(torch.equal(a, b) for a, b in zip(second.state, whole.state, strict=True))


@every_core
def test_same_inputs_give_the_same_outputs_whatever_came_between(
    core_class: type[MemoryCore],
) -> None:
    core, steps = build(core_class), sequence()
    parameters = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    once = unroll(core, steps)
    unroll(core, sequence(seed=9))
    again = unroll(core, steps)
    assert torch.equal(once.reads, again.reads)
    assert all(torch.equal(a, b) for a, b in zip(once.state, again.state, strict=True))
    for name, tensor in core.state_dict().items():
        assert torch.equal(tensor, parameters[name]), name


@every_core
def test_training_and_evaluation_mode_agree(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    assert_same(unroll(core.train(), steps), unroll(core.eval(), steps))


@every_core
def test_calls_change_neither_state_nor_inputs(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    state = unroll(core, steps[:3]).state
    control, items = steps[3]

    def unchanged(call: Any, *tensors: Tensor) -> Any:
        copies = [tensor.detach().clone() for tensor in tensors]
        result = call()
        assert all(torch.equal(a, b) for a, b in zip(tensors, copies, strict=True))
        return result

    new = unchanged(lambda: core.write(state, control, items), *state, control, *items)
    _, new = unchanged(lambda: core.read(new, control), *new, control)
    unchanged(lambda: core.weightings(new), *new)


# Batches ----------------------------------------------------------------------------------------


@every_core
@every_shape
def test_permuting_a_batch_permutes_the_result(core_class: type[MemoryCore], shape: str) -> None:
    core, steps, order = build(core_class, shape), sequence(), [2, 0, 1]
    straight, permuted = unroll(core, steps), unroll(core, only(steps, order))
    weightings = only_weightings(straight.weightings, order)
    assert_same(permuted, Unrolled(straight.reads[:, order], weightings, None))


@every_core
def test_changing_one_sequence_changes_no_other(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class, "wide"), sequence()
    changed = sequence()
    for (control, items), (_, others) in zip(changed, sequence(seed=5), strict=True):
        control[1] += 1
        items.keys[1], items.values[1], items.mask[1] = (part[1] for part in others)
    before, after = unroll(core, steps), unroll(core, changed)
    rest = [0, 2]
    assert_same(
        Unrolled(after.reads[:, rest], only_weightings(after.weightings, rest), None),
        Unrolled(before.reads[:, rest], only_weightings(before.weightings, rest), None),
    )
    if core.context_size:
        assert not torch.allclose(after.reads[:, 1], before.reads[:, 1])


@every_core
def test_a_sequence_alone_gives_what_it_gives_in_a_batch(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    together = unroll(core, steps)
    for b in range(BATCH):
        weightings = only_weightings(together.weightings, [b])
        alone = unroll(core, only(steps, [b]))
        assert_same(alone, Unrolled(together.reads[:, [b]], weightings, None))


# Sets of items ----------------------------------------------------------------------------------


@every_core
def test_no_items_and_only_padding_are_the_same(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    state = unroll(core, steps[:4]).state
    padding = [
        Step(control, items._replace(mask=torch.zeros_like(items.mask)))
        for control, items in steps[4:]
    ]
    nothing = [Step(c, Items(*(part[:, :0] for part in items))) for c, items in steps[4:]]
    assert_same(unroll(core, nothing, state), unroll(core, padding, state))
    assert_same(unroll(core, nothing), unroll(core, padding))


@every_core
def test_order_of_the_items_in_a_set_does_not_matter(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    turned = [Step(c, Items(*(part.flip(1) for part in items))) for c, items in steps]
    assert_same(unroll(core, turned), unroll(core, steps))


@every_core
def test_what_stands_in_padding_does_not_matter(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    polluted = []
    for control, items in steps:
        hole = ~items.mask.unsqueeze(2)
        keys, values = items.keys.masked_fill(hole, 1e6), items.values.masked_fill(hole, -1e6)
        extra = [part[:, :1].expand(-1, 2, -1) * 0 + 1e6 for part in (keys, values)]
        more = torch.zeros(BATCH, 2, dtype=torch.bool)
        parts = zip((keys, values, items.mask), (*extra, more), strict=True)
        polluted.append(Step(control, Items(*(torch.cat(pair, 1) for pair in parts))))
    assert_same(unroll(core, polluted), unroll(core, steps))


@every_core
def test_an_added_item_is_seen_later(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    if not core.context_size:
        pytest.skip("reads nothing")
    control, items = steps[3]
    seen = items._replace(mask=torch.ones_like(items.mask))
    hidden = items._replace(mask=torch.zeros_like(items.mask))
    with_items = unroll(core, [*steps[:3], Step(control, seen), *steps[4:]])
    without = unroll(core, [*steps[:3], Step(control, hidden), *steps[4:]])
    assert torch.equal(with_items.reads[:3], without.reads[:3])
    assert ((with_items.reads - without.reads)[4:].abs().amax((0, 2)) > 1e-9).all()


# Numbers ----------------------------------------------------------------------------------------


@every_core
@pytest.mark.parametrize("write_heads", [1, 3])
@pytest.mark.parametrize("slots", [1, 3, 20])
@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0])
def test_weightings_are_non_negative_and_sum_to_at_most_one(
    core_class: type[MemoryCore], slots: int, write_heads: int, scale: float
) -> None:
    core = build(core_class, slots=slots, write_heads=write_heads)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.mul_(scale)
        outcome = unroll(core, sequence(steps=12))
    assert outcome.reads.isfinite().all()
    for weightings in outcome.weightings:
        for weights in weightings:
            assert (weights >= 0).all()
            assert (weights.sum(-1) <= 1 + 1e-6).all()


@every_core
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_gradients_reach_every_row_of_every_parameter(
    core_class: type[MemoryCore], shape: str
) -> None:
    """Not with one slot, where choosing is no choice and a key learns nothing.

    In several batches: rectifiers may be silent in one.
    """
    core = build(core_class, shape)
    reads = torch.stack([unroll(core, sequence(seed=seed)).reads for seed in range(4)])
    if not list(core.parameters()):
        pytest.skip("has no parameters")
    (reads * torch.randn_like(reads)).sum().backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None, name
        rows = torch.atleast_1d(parameter.grad)
        assert (rows != 0).reshape(len(rows), -1).any(1).all(), name


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("as it is", "smallest"),
        ("as it is", "wide"),
        ("zeros", "small"),
        ("no items", "small"),
        ("saturated", "small"),
        ("saturated", "wide"),
        ("many steps", "small"),
    ],
)
def test_values_and_gradients_are_finite(
    core_class: type[MemoryCore], case: str, shape: str, dtype: torch.dtype
) -> None:
    core = build(core_class, shape, dtype)
    many = 1_000 if dtype == torch.bfloat16 else 200
    steps = sequence(many if case == "many steps" else 20, dtype=dtype)
    if case == "zeros":
        steps = [Step(c * 0, Items(i.keys * 0, i.values * 0, i.mask)) for c, i in steps]
    if case == "no items":
        steps = [Step(c, Items(*(part[:, :0] for part in items))) for c, items in steps]
    if case == "saturated":
        with torch.no_grad():
            for parameter in core.parameters():
                parameter.mul_(50)
    inputs = [x.requires_grad_() for c, items in steps for x in (c, items.keys, items.values)]
    outcome = unroll(core, steps)
    for tensor in (outcome.reads, *outcome.state, *outcome.weightings[-1]):
        assert tensor.isfinite().all()
    for weights in (weights for weightings in outcome.weightings for weights in weightings):
        assert (weights.float().sum(-1) <= 1 + 8 * torch.finfo(dtype).eps).all()
    if outcome.reads.requires_grad:
        outcome.reads.float().square().sum().backward()
        for tensor in (*core.parameters(), *inputs):
            assert tensor.grad is None or tensor.grad.isfinite().all()


@every_core
def test_an_unroll_compiles_into_one_graph(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence(steps=2)
    torch.compiler.reset()
    compiled = torch.compile(
        lambda steps: unroll(core, steps).reads, fullgraph=True, backend="eager"
    )
    torch.testing.assert_close(compiled(steps), unroll(core, steps).reads)


@every_core
def test_an_unroll_runs_under_autocast(core_class: type[MemoryCore]) -> None:
    core = build(core_class, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        unrolled = unroll(core, sequence(dtype=torch.float32))
    assert unrolled.reads.isfinite().all()
    if unrolled.reads.requires_grad:
        unrolled.reads.float().square().sum().backward()
        assert all(p.grad.isfinite().all() for p in core.parameters() if p.grad is not None)


# All steps at once ------------------------------------------------------------------------------


class Known(NamedTuple):
    """Everything that is known before the core runs, [B, T, ...], and 6 queries a step."""

    controls: Tensor
    items: Items
    queries: Tensor


def known(
    steps: int = SIZES.steps,
    items: int = 4,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> Known:
    """Random ragged sets; one sequence has an empty set at the last step, one never has any."""
    torch.manual_seed(2)

    def random(*shape: int) -> Tensor:
        return torch.randn(BATCH, steps, *shape).to(device, dtype).requires_grad_()

    mask = torch.rand(BATCH, steps, items) < 0.7
    mask[0, -1] = mask[1] = False
    rows = Items(random(items, SIZES.key), random(items, SIZES.value), mask.to(device))
    return Known(random(SIZES.control), rows, random(6, ASKED.query))


def asked(core_class: type[MemoryCore], **settings: Any) -> MemoryCore:
    return build(core_class, sizes=ASKED, **settings)


def recall(core: MemoryCore, sequences: Known) -> tuple[Tensor, ...]:
    """What the look-ups of all steps return, the pools, and the KL: all [B, T, ...]."""
    snapshot, *rest = core.unroll(sequences.controls, sequences.items)
    return core.lookup(snapshot, sequences.queries), *rest


def recall_step_by_step(core: MemoryCore, sequences: Known) -> tuple[Tensor, ...]:
    state, steps = core.initial_state(BATCH, like=sequences.controls), []
    for t in range(sequences.controls.shape[1]):
        items = Items(*(part[:, t] for part in sequences.items))
        state = core.write(state, sequences.controls[:, t], items)
        found = core.lookup(core.snapshot(state), sequences.queries[:, t])
        steps.append((found, *core.pool(state), found.new_zeros(BATCH)))
    return tuple(torch.stack(parts, 1) for parts in zip(*steps, strict=True))


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
    assert found.shape == (BATCH, steps, 6, SIZES.value)
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
    for reads, _ in (core.read(state, control), core.write_and_read(state, control, items)):
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
