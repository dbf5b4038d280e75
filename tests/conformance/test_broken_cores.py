"""A core that breaks a rule of the contract fails with one sentence that names the rule."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import Phase, settings
from torch import Tensor, nn

from memory_cores import Items, MemorySizes
from memory_cores.parts.real_points import RealPoints
from tests.conformance import (
    test_by_heads,
    test_by_query,
    test_carried,
    test_properties,
    test_states,
)
from tests.conformance.cores import QUERY_SIZES, SIZES
from tests.conformance.example_core import ExampleCore, ExampleState
from tests.conformance.strategies import Drawn, random_case


class RecordingState(NamedTuple):
    """An ``ExampleState``, and weights for plots."""

    total: Tensor  #: [B, Dv]
    number: Tensor  #: [B, 1]
    read_weights: Tensor  #: [B, R, 15]

    def mean(self) -> Tensor:
        """Mean value [..., Dv]."""
        return ExampleState(self.total, self.number).mean()


class Recording(ExampleCore):
    """Forgets to name in ``not_carried`` what is only recorded."""

    def initial_state(self, batch_size: int, like: Tensor) -> Any:
        example = super().initial_state(batch_size, like)
        return RecordingState(*example, like.new_zeros(batch_size, 1, 15))

    def write(self, state: Any, control: Tensor, items: Items) -> Any:
        example = super().write(state, control, items)
        recorded = control.mean(1).sigmoid().view(-1, 1, 1).expand(-1, 1, 15) / 15
        return RecordingState(*example, recorded)


class Hiding(ExampleCore):
    """Names in ``not_carried`` what later steps need."""

    not_carried = ("total",)


class OnlyOnDevices(ExampleCore):
    """Looks at a tensor's numbers in its constructor."""

    def __init__(self, sizes: MemorySizes) -> None:
        super().__init__(sizes)
        self.rates = torch.tensor([1.0, 10.0]).log10().tolist()


class Multiplying(ExampleCore):
    """Multiplies padding by 0, which leaves NaN."""

    def write(self, state: ExampleState, control: Tensor, items: Items) -> ExampleState:
        total = (items.values * items.mask.unsqueeze(2)).sum(1)
        return ExampleState(state.total + total, state.number + items.mask.sum(1, keepdim=True))


class Mixing(ExampleCore):
    """Reads the mean of all sequences."""

    def _read(self, state: ExampleState, control: Tensor) -> tuple[Tensor, ExampleState]:
        return state.mean() - state.mean().mean(0), state


class Counting(ExampleCore):
    """Keeps a number outside its state."""

    calls = 0

    def _read(self, state: ExampleState, control: Tensor) -> tuple[Tensor, ExampleState]:
        self.calls += 1
        return state.mean() * self.calls, state


class Unused(ExampleCore):
    """Has a map that nothing depends on."""

    def __init__(self, sizes: MemorySizes) -> None:
        super().__init__(sizes)
        self.map = nn.Linear(sizes.value, sizes.value)
        self.used = nn.Linear(sizes.value, sizes.value)

    def _read(self, state: ExampleState, control: Tensor) -> tuple[Tensor, ExampleState]:
        return self.used(state.mean()), state

    def lookup(
        self, snapshot: ExampleState, queries: Tensor, real: RealPoints | None = None
    ) -> Tensor:
        return self.used(super().lookup(snapshot, queries, real))


BROKEN: list[tuple[Callable[..., None], tuple[Any, ...], str]] = [
    (
        test_carried.test_state_size_counts_the_numbers_that_matter,
        (Recording, "small", SIZES),
        "read_weights: 15 numbers never influence a later step; use them or name them in "
        "not_carried",
    ),
    (
        test_carried.test_state_size_counts_the_numbers_that_matter,
        (Hiding, "small", QUERY_SIZES),
        "total: 5 numbers influence later steps; remove it from not_carried",
    ),
    (
        test_carried.test_later_steps_do_not_depend_on_what_is_not_carried,
        (Hiding,),
        "no later step may depend on what not_carried names: ('total',)",
    ),
    (
        test_states.test_the_constructor_runs_on_the_meta_device,
        (OnlyOnDevices, SIZES),
        "the constructor must also run on the meta device, whose tensors have no data: compute "
        "constants with math or Python numbers, and keep tensors in register_buffer(..., "
        "persistent=False); got NotImplementedError: Cannot copy out of meta tensor; no data!",
    ),
    (
        test_by_query.test_a_look_up_sees_which_value_came_with_which_key,
        (ExampleCore,),
        "a look-up must see the step's own points, each value with its key: giving the keys each "
        "other's values changed nothing",
    ),
    (
        test_by_query.test_an_empty_memory_reads_zero,
        (Unused,),
        "a look-up in an empty memory must return 0, unless starts_empty is False",
    ),
    (
        test_by_query.test_gradients_of_recall_reach_every_parameter,
        (Unused, "small"),
        "map.weight gets no gradient: look-ups and pools do not depend on it",
    ),
    (
        test_by_heads.test_gradients_reach_every_row_of_every_parameter,
        (Unused, "small"),
        "map.weight gets no gradient: the reads do not depend on it",
    ),
    (
        test_by_heads.test_content_of_padding_does_not_matter,
        (Multiplying,),
        "the content of padding, NaN included, must make no difference; the reads differ",
    ),
    (
        test_properties.test_neither_order_nor_padding_of_a_set_makes_a_difference,
        (Multiplying,),
        "neither the order of a set's items nor the content of padding may make a difference",
    ),
    (
        test_by_heads.test_a_sequence_alone_gives_what_it_gives_in_a_batch,
        (Mixing,),
        "a sequence alone must give what it gives in a batch; the reads differ",
    ),
    (
        test_by_heads.test_same_inputs_give_the_same_outputs_whatever_came_between,
        (Counting,),
        "the same inputs must give the same outputs: a core has no state but the one passed in",
    ),
]


@pytest.fixture(autouse=True)
def without_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an example as it was drawn: to find the smallest one takes half a minute."""
    for module in (test_properties, test_carried):
        drawn_once = settings(module.some_examples, phases=[Phase.generate])
        monkeypatch.setattr(module, "some_examples", drawn_once)


@pytest.mark.parametrize(
    ("test", "arguments", "sentence"),
    BROKEN,
    ids=[f"{test.__name__}-{arguments[0].__name__}" for test, arguments, _ in BROKEN],
)
def test_a_broken_rule_is_named(
    test: Callable[..., None], arguments: tuple[Any, ...], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(sentence)}(\n|$)") as failure:
        test(*arguments)
    # What Hypothesis notes of its example: a core and sizes.
    assert "tensor(" not in "".join(getattr(failure.value, "__notes__", ""))


def test_an_example_is_shown_by_its_core_and_its_sizes() -> None:
    sequences = random_case(ExampleCore(SIZES), 3, [(2, 0.5), (0, 0.5)], 1.0)
    shown = "Drawn(core=ExampleCore(), case=3 sequences with (2, 0) items)"
    assert repr(Drawn(ExampleCore(SIZES), sequences)) == shown
