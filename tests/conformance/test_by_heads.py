"""The contract of every core in models that read with its heads."""

import io
from typing import Any

import pytest
import torch
from torch import Tensor

from memory_cores import Items, MemoryCore, Weightings
from tests.conformance.cores import (
    BATCH,
    SIZES,
    Step,
    Unrolled,
    build,
    every_core,
    every_shape,
    every_way,
    sequence,
    settings_of,
    unroll,
    without_items,
)
from tests.conformance.rules import require, require_close


def assert_same(ours: Unrolled, theirs: Unrolled, rule: str) -> None:
    """Assert that all outputs are equal up to rounding."""
    require_close(ours.reads, theirs.reads, f"{rule}; the reads differ")
    for left, right in zip(ours.weightings, theirs.weightings, strict=True):
        require_close(left.read, right.read, f"{rule}; the read weightings differ")
        require_close(left.write, right.write, f"{rule}; the write weightings differ")


def only(steps: list[Step], index: Any) -> list[Step]:
    """Select sequences of the batch."""
    return [Step(c[index], Items(*(part[index] for part in items))) for c, items in steps]


def only_weightings(weightings: list[Weightings], index: Any) -> list[Weightings]:
    return [Weightings(read=w.read[index], write=w.write[index]) for w in weightings]


def named(weightings: Weightings) -> dict[str, Tensor]:
    """Return the two weightings by name."""
    return {"the read weighting": weightings.read, "the write weighting": weightings.write}


# Shapes and kinds ---------------------------------------------------------------------------------


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
        has_slots = "slots" in settings_of(core_class)
        require(read.numel() > 0 or not has_slots, "a core with a setting slots has weightings")


@every_way
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_everything_follows_the_dtype(core_class: type[MemoryCore], dtype: torch.dtype) -> None:
    outcome = unroll(build(core_class, dtype=dtype), sequence(dtype=dtype))
    assert outcome.reads.dtype == dtype
    for name, tensor in {**outcome.state._asdict(), **named(outcome.weightings[-1])}.items():
        follows = tensor.dtype == dtype or not tensor.is_floating_point()
        require(follows, f"floats must have the dtype of like, {dtype}; {name} is {tensor.dtype}")


@every_core
def test_everything_follows_the_device_and_nothing_looks_at_the_data(
    core_class: type[MemoryCore],
) -> None:
    core = build(core_class)
    outcome = unroll(core.to("meta"), sequence(device="meta"))
    assert outcome.reads.shape == (SIZES.steps, BATCH, core.context_size)
    parts = {"reads": outcome.reads, **outcome.state._asdict(), **named(outcome.weightings[-1])}
    for name, tensor in parts.items():
        require(tensor.is_meta, f"all tensors must be on the device of like; {name} is not")


# No hidden state ----------------------------------------------------------------------------------


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
    rule = "the state must hold all that later steps need: saved halfway, it must continue exactly"
    require(torch.equal(torch.cat([first.reads, second.reads]), whole.reads), rule)
    require(all(map(torch.equal, second.state, whole.state)), rule)


@every_core
def test_same_inputs_give_the_same_outputs_whatever_came_between(
    core_class: type[MemoryCore],
) -> None:
    core, steps = build(core_class), sequence()
    parameters = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    once = unroll(core, steps)
    unroll(core, sequence(seed=9))
    again = unroll(core, steps)
    rule = "the same inputs must give the same outputs: a core has no state but the one passed in"
    require(torch.equal(once.reads, again.reads), rule)
    require(all(map(torch.equal, once.state, again.state)), rule)
    for name, tensor in core.state_dict().items():
        require(torch.equal(tensor, parameters[name]), f"no call may change {name} of the core")


@every_core
def test_training_and_evaluation_mode_agree(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    rule = "training and evaluation mode must give the same"
    assert_same(unroll(core.train(), steps), unroll(core.eval(), steps), rule)


@every_core
def test_calls_change_neither_state_nor_inputs(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    state = unroll(core, steps[:3]).state
    control, items = steps[3]

    def unchanged(call: Any, *tensors: Tensor) -> Any:
        copies = [tensor.detach().clone() for tensor in tensors]
        result = call()
        require(all(map(torch.equal, tensors, copies)), "no call may change its inputs")
        return result

    new = unchanged(lambda: core.write(state, control, items), *state, control, *items)
    _, new = unchanged(lambda: core.read(new, control), *new, control)
    unchanged(lambda: core.weightings(new), *new)


# Batches ------------------------------------------------------------------------------------------


@every_core
@every_shape
def test_permuting_a_batch_permutes_the_result(core_class: type[MemoryCore], shape: str) -> None:
    core, steps, order = build(core_class, shape), sequence(), [2, 0, 1]
    straight, permuted = unroll(core, steps), unroll(core, only(steps, order))
    weightings = only_weightings(straight.weightings, order)
    rule = "permuting a batch must permute the result: sequences do not see each other"
    assert_same(permuted, Unrolled(straight.reads[:, order], weightings, None), rule)


@every_core
def test_changing_one_sequence_changes_no_other(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class, "wide"), sequence()
    changed = sequence()
    for (control, items), (_, others) in zip(changed, sequence(seed=5), strict=True):
        control[1] += 1
        items.keys[1], items.values[1], items.mask[1] = (part[1] for part in others)
    before, after = unroll(core, steps), unroll(core, changed)
    unchanged = [0, 2]
    assert_same(
        Unrolled(after.reads[:, unchanged], only_weightings(after.weightings, unchanged), None),
        Unrolled(before.reads[:, unchanged], only_weightings(before.weightings, unchanged), None),
        "sequences of a batch must not see each other",
    )
    if core.context_size:
        differs = not torch.allclose(after.reads[:, 1], before.reads[:, 1])
        require(differs, "a sequence's reads must depend on its controls and items")


@every_core
def test_a_sequence_alone_gives_what_it_gives_in_a_batch(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    together = unroll(core, steps)
    for b in range(BATCH):
        weightings = only_weightings(together.weightings, [b])
        alone = unroll(core, only(steps, [b]))
        rule = "a sequence alone must give what it gives in a batch"
        assert_same(alone, Unrolled(together.reads[:, [b]], weightings, None), rule)


# Sets of items ------------------------------------------------------------------------------------


@every_core
def test_no_items_and_only_padding_are_the_same(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    state = unroll(core, steps[:4]).state
    padding = [
        Step(control, items._replace(mask=torch.zeros_like(items.mask)))
        for control, items in steps[4:]
    ]
    nothing = [without_items(step) for step in steps[4:]]
    rule = "a set that is all padding must be an empty set"
    assert_same(unroll(core, nothing, state), unroll(core, padding, state), rule)
    assert_same(unroll(core, nothing), unroll(core, padding), rule)


@every_core
def test_order_of_the_items_in_a_set_does_not_matter(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    reversed_ = [Step(c, Items(*(part.flip(1) for part in items))) for c, items in steps]
    rule = "the order of a set's items must make no difference"
    assert_same(unroll(core, reversed_), unroll(core, steps), rule)


@every_way
def test_content_of_padding_does_not_matter(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    polluted = []
    for control, items in steps:
        hole = ~items.mask.unsqueeze(2)
        keys, values = items.keys.masked_fill(hole, 1e6), items.values.masked_fill(hole, -1e6)
        extra = [torch.full_like(part[:, :1], torch.nan).expand(-1, 2, -1) for part in items[:2]]
        extra_mask = torch.zeros(BATCH, 2, dtype=torch.bool)
        parts = zip((keys, values, items.mask), (*extra, extra_mask), strict=True)
        polluted.append(Step(control, Items(*(torch.cat(pair, 1) for pair in parts))))
    rule = "the content of padding, NaN included, must make no difference"
    assert_same(unroll(core, polluted), unroll(core, steps), rule)


@every_core
def test_an_added_item_is_seen_later(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence()
    if not core.context_size:
        pytest.skip("reads nothing")
    control, items = steps[3]
    visible = items._replace(mask=torch.ones_like(items.mask))
    hidden = items._replace(mask=torch.zeros_like(items.mask))
    with_items = unroll(core, [*steps[:3], Step(control, visible), *steps[4:]])
    without = unroll(core, [*steps[:3], Step(control, hidden), *steps[4:]])
    require(torch.equal(with_items.reads[:3], without.reads[:3]), "no step may see later ones")
    changed = (with_items.reads - without.reads)[4:].abs().amax((0, 2)) > 1e-9
    require(
        changed.all(), "an item must change the reads of later steps, unless holds_items is False"
    )


# Numbers ------------------------------------------------------------------------------------------


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
    require(outcome.reads.isfinite().all(), "reads must be finite for any parameters")
    for weightings in outcome.weightings:
        for name, weights in named(weightings).items():
            require((weights >= 0).all(), f"{name} must not be negative")
            require((weights.sum(-1) <= 1 + 1e-6).all(), f"{name} must sum to at most 1")


@every_core
@pytest.mark.parametrize("shape", ["small", "wide"])
def test_gradients_reach_every_row_of_every_parameter(
    core_class: type[MemoryCore], shape: str
) -> None:
    """With one slot keys get no gradient; in one batch rectifiers may be inactive."""
    core = build(core_class, shape)
    reads = torch.stack([unroll(core, sequence(seed=seed)).reads for seed in range(4)])
    if not list(core.parameters()):
        pytest.skip("has no parameters")
    (reads * torch.randn_like(reads)).sum().backward()
    for name, parameter in core.named_parameters():
        require(
            parameter.grad is not None, f"{name} gets no gradient: the reads do not depend on it"
        )
        rows = torch.atleast_1d(parameter.grad)
        reached = (rows != 0).reshape(len(rows), -1).any(1)
        idle = reached.numel() - int(reached.sum())
        require(not idle, f"{idle} of {len(rows)} rows of {name} get no gradient")


@every_way
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
    # Beyond 256, bfloat16 does not represent all integers.
    many = 400 if dtype == torch.bfloat16 else 200
    steps = sequence(many if case == "many steps" else 20, dtype=dtype)
    if case == "zeros":
        steps = [Step(c * 0, Items(i.keys * 0, i.values * 0, i.mask)) for c, i in steps]
    if case == "no items":
        steps = [without_items(step) for step in steps]
    if case == "saturated":
        with torch.no_grad():
            for parameter in core.parameters():
                parameter.mul_(50)
    inputs = [x.requires_grad_() for c, items in steps for x in (c, items.keys, items.values)]
    outcome = unroll(core, steps)
    parts = {"reads": outcome.reads, **outcome.state._asdict(), **named(outcome.weightings[-1])}
    for name, tensor in parts.items():
        require(tensor.isfinite().all(), f"{name} must be finite in {dtype}")
    most = 1 + 8 * torch.finfo(dtype).eps
    for weightings in outcome.weightings:
        for name, weights in named(weightings).items():
            require((weights.float().sum(-1) <= most).all(), f"{name} must sum to at most 1")
    if outcome.reads.requires_grad:
        outcome.reads.float().square().sum().backward()
        parts = {**dict(core.named_parameters()), **dict(enumerate(inputs))}
        for name, tensor in parts.items():
            kind = "an input" if isinstance(name, int) else name
            finite = tensor.grad is None or tensor.grad.isfinite().all()
            require(finite, f"gradients must be finite in {dtype}; that of {kind} is not")


@every_way
def test_an_unroll_compiles_into_one_graph(core_class: type[MemoryCore]) -> None:
    core, steps = build(core_class), sequence(steps=2)
    torch.compiler.reset()
    compiled = torch.compile(
        lambda steps: unroll(core, steps).reads, fullgraph=True, backend="eager"
    )
    rule = "compiled, an unroll must give the same reads"
    require_close(compiled(steps), unroll(core, steps).reads, rule, rtol=1e-7, atol=1e-7)


@every_way
def test_an_unroll_runs_under_autocast(core_class: type[MemoryCore]) -> None:
    core = build(core_class, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        unrolled = unroll(core, sequence(dtype=torch.float32))
    require(unrolled.reads.isfinite().all(), "reads must be finite under autocast")
    if unrolled.reads.requires_grad:
        unrolled.reads.float().square().sum().backward()
        finite = all(p.grad.isfinite().all() for p in core.parameters() if p.grad is not None)
        require(finite, "gradients must be finite under autocast")
