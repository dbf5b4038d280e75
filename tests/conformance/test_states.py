"""The contract of every core about its state, and about its colour and marker."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from memory_cores import CORES, Items, MemoryCore, MemorySizes
from memory_cores.parts.palette import PALETTE
from tests.conformance.cores import (
    BATCH,
    QUERY_SIZES,
    SIZES,
    build,
    every_core,
    every_shape,
    random_sequences,
    sequence,
    unroll,
    without_items,
)
from tests.conformance.promised_shapes import assert_as_promised
from tests.conformance.rules import require

#: A batch size that differs from all other sizes.
MANY = 11
either_way = pytest.mark.parametrize("sizes", [SIZES, QUERY_SIZES], ids=["by heads", "by query"])


def letters(core: MemoryCore) -> dict[str, int]:
    """Return the letters whose values the contract fixes."""
    widths = {"W": core.word_size} if hasattr(core, "word_size") else {}
    sizes = core.sizes
    return {"B": MANY, "R": core.read_heads, "Dk": sizes.key, "Dv": sizes.value, **widths}


@every_core
@every_shape
@either_way
def test_states_have_the_shapes_of_their_comments(
    core_class: type[MemoryCore], shape: str, sizes: MemorySizes
) -> None:
    core = build(core_class, shape, sizes=sizes)
    promised, floats = letters(core), torch.float64
    state = core.initial_state(MANY, like=torch.zeros(1, dtype=floats))
    assert_as_promised(state, floats, **promised)
    for step in sequence(batch=MANY):
        _, state, _ = core.write_and_read(state, *step)
        assert_as_promised(state, floats, **promised)
        assert_as_promised(core.weightings(state), floats, B=MANY)
        if sizes.query:
            assert_as_promised(core.snapshot(state, step.items), floats, **promised)


@every_core
@every_shape
def test_recollections_have_the_shapes_of_their_comments(
    core_class: type[MemoryCore], shape: str
) -> None:
    core = build(core_class, shape, sizes=QUERY_SIZES)
    controls, items, _ = random_sequences(batch=MANY)
    recollections = core.unroll(controls, items)
    snapshot, promised = recollections.snapshot, letters(core)
    T = SIZES.steps
    assert_as_promised(recollections._replace(snapshot=None), torch.float64, T=T, **promised)
    nothing = Items(*(part[:, 0, :0] for part in items))
    single = core.snapshot(core.initial_state(MANY, like=controls), nothing)
    if type(snapshot) is not type(single):  # of all steps together
        assert_as_promised(snapshot, torch.float64, T=T, **promised)
        return
    assert all(part.shape[1] == T for part in snapshot)
    for t in range(T):
        assert_as_promised(type(snapshot)(*(p[:, t] for p in snapshot)), torch.float64, **promised)


@every_core
@either_way
def test_state_is_a_tuple_of_batched_tensors_of_constant_shape(
    core_class: type[MemoryCore], sizes: MemorySizes
) -> None:
    core, steps = build(core_class, sizes=sizes), sequence()
    before = core.initial_state(BATCH, like=torch.zeros(1, dtype=torch.float64))
    # Fields with the current step's items have a row for each: none here, as initially.
    after = unroll(core, [*steps, without_items(steps[0])]).state
    assert type(before) is type(after)
    for name in before._fields:
        old, new = getattr(before, name), getattr(after, name)
        require(isinstance(old, Tensor), f"{name} must be a tensor")
        require(old.dtype == new.dtype, f"{name} must keep its dtype; it became {new.dtype}")
        constant = old.shape == new.shape or not core.graph_steps
        rule = f"{name} must keep its shape, {list(old.shape)}, unless graph_steps is 0"
        require(constant, f"{rule}; it became {list(new.shape)}")
        require(len(old) == len(new) == BATCH, f"{name} must have a row for every sequence")


@every_core
@either_way
def test_the_constructor_runs_on_the_meta_device(
    core_class: type[MemoryCore], sizes: MemorySizes
) -> None:
    """Models are built there to size them to their budgets: ``lightning_modules/sizing.py``."""
    expected = build(core_class, sizes=sizes)
    with torch.device("meta"):
        try:
            core = build(core_class, sizes=sizes)
            state_size = core.state_size
        except Exception as failure:
            raise AssertionError(
                "the constructor must also run on the meta device, whose tensors have no data: "
                "compute constants with math or Python numbers, and keep tensors in "
                f"register_buffer(..., persistent=False); got {type(failure).__name__}: {failure}"
            ) from failure
    assert state_size == expected.state_size
    assert shapes(core) == shapes(expected)
    assert all(parameter.is_meta for parameter in core.parameters())


def shapes(core: MemoryCore) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in core.named_parameters()}


def test_colours_of_cores_are_unique() -> None:
    assert {core.look for core in CORES} <= {*PALETTE}
    assert len({core.look.colour for core in CORES}) == len(CORES)


# How the comments are read ----------------------------------------------------------------------


class Words(NamedTuple):
    """Fields with one or two shapes."""

    words: Tensor  #: [B, N + 1, 2 W], of which two are one; [B, N, 0] if there are none
    used: Tensor  #: [B, N] bool, those with a word
    age: Tensor  #: [B, 1] int64 in steps


class Silent(NamedTuple):
    """A field whose comment has no shape."""

    words: Tensor  #: stored words


def words_of(words: tuple[int, ...], used: Any = torch.bool, slots: int = 3) -> Words:
    return Words(
        torch.zeros(words), torch.zeros(2, slots, dtype=used), torch.zeros(2, 1, dtype=torch.int64)
    )


@pytest.mark.parametrize("words", [(2, 4, 6), (2, 3, 0)])
def test_either_shape_matches(words: tuple[int, ...]) -> None:
    assert_as_promised(words_of(words), torch.float32, B=2)
    assert_as_promised(
        Items(*(torch.zeros(2, 0, n) for n in (3, 1)), words_of(words).used[:, :0]),
        torch.float32,
        B=2,
        Dk=3,
    )


@pytest.mark.parametrize(
    ("state", "letters", "name"),
    [
        (words_of((2, 4, 6)), {"B": 3}, "words"),
        (words_of((2, 4, 6)), {"W": 2}, "words"),
        (words_of((2, 4, 5)), {}, "words"),
        (words_of((2, 4)), {}, "words"),
        (words_of((2, 4, 6), slots=4), {}, "used"),
        (words_of((2, 4, 6), used=torch.float32), {}, "used"),
        (words_of((2, 4, 6))._replace(age=torch.zeros(2, 1)), {}, "age"),
        (words_of((2, 4, 6))._replace(age=torch.zeros(2, 2, dtype=torch.int64)), {}, "age"),
        (words_of((2, 4, 6))._replace(words=torch.zeros(2, 4, 6).double()), {}, "words"),
        (Silent(torch.zeros(2)), {}, "no comment"),
    ],
)
def test_other_shapes_are_rejected(state: Any, letters: dict[str, int], name: str) -> None:
    with pytest.raises(AssertionError, match=name):
        assert_as_promised(state, torch.float32, **letters)
