"""The contract of every core, with settings, widths, sets and masks drawn by hypothesis.

The other files of this folder check the same and more with fixed sizes.
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from memory_cores import CORES, DNC, RMR, Items, MemoryCore, MemorySizes
from memory_cores.parts.real_points import RealPoints
from tests.conformance.rules import require, require_close
from tests.conformance.strategies import Case, Drawn, build, drawn, outcome, step_by_step

every_core = pytest.mark.parametrize("core_class", CORES)
some_examples = settings(max_examples=8, deadline=None, derandomize=True, database=None)
close = functools.partial(require_close, rtol=1e-8, atol=1e-9)


def fading_links() -> list[Drawn]:
    """Write weights whose sum exceeds 1 by rounding made links, then reads, negative."""
    one = {"word_size": 1, "read_heads": 1, "write_heads": 1}
    six_items = (MemorySizes(1, 1, 1, 6), [(1, 1.0)] * 6)
    return [
        build(DNC, six_items[0], {"slots": slots, **one}, 1, six_items[1], 50.0, 10.0, seed)
        for slots, seed in ((2, 42), (3, 135))
    ]


def wide_gaussians() -> list[Drawn]:
    """Large parameters made the sigmas of stochastic keys infinite."""
    settings = {"slots": 1, "read_heads": 1, "stochastic_keys": True}
    sizes = MemorySizes(3, 1, 3, 1)
    return [build(RMR, sizes, settings, 1, [(0, 0.0)], 50.0, 0.0, seed) for seed in (13, 28)]


#: Minimal cases that used to fail.
FIXED: dict[type[MemoryCore], Callable[[], list[Drawn]]] = {DNC: fading_links, RMR: wide_gaussians}


def check_with(core_class: type[MemoryCore], check: Any, **how: Any) -> None:
    """Run a check on drawn cores and cases; it may draw more data."""
    some_examples(given(drawn(core_class, **how), st.data())(check))()


@every_core
def test_sequences_of_a_batch_do_not_see_each_other(core_class: type[MemoryCore]) -> None:
    def check(drawn_pair: Drawn, data: st.DataObject) -> None:
        core, case = drawn_pair
        together, batch = outcome(core, case), len(case.controls)
        order = data.draw(st.permutations(range(batch)))
        rule = "sequences of a batch must not see each other"
        close(outcome(core, case.only(order)), tuple(part[order] for part in together), rule)
        for b in range(batch):
            close(outcome(core, case.only([b])), tuple(part[[b]] for part in together), rule)

    check_with(core_class, check)


@every_core
def test_steps_do_not_see_later_ones(core_class: type[MemoryCore]) -> None:
    def check(drawn_pair: Drawn, data: st.DataObject) -> None:
        core, case = drawn_pair
        steps = data.draw(st.integers(1, len(case.rows)))
        whole = outcome(core, case)
        earlier = tuple(part[:, :steps] for part in whole)
        close(outcome(core, case.until(steps)), earlier, "no step may see later ones")

    check_with(core_class, check)


@every_core
def test_an_unroll_gives_what_its_steps_give(core_class: type[MemoryCore]) -> None:
    def check(drawn_pair: Drawn, data: st.DataObject) -> None:
        rule = "unroll and write_and_read must give what advance, read and look-ups give by steps"
        close(step_by_step(*drawn_pair), outcome(*drawn_pair), rule)

    check_with(core_class, check)


def repacked(case: Case, order: list[int], padding: int, rubbish: float) -> Case:
    """Reorder the sets, add padding, and fill all padding with rubbish."""
    parts = [part[:, :, order] for part in case.items]
    extra = [part.new_zeros(*part.shape[:2], padding, *part.shape[3:]) for part in parts]
    keys, values, mask = (torch.cat(pair, 2) for pair in zip(parts, extra, strict=True))
    hole = ~mask.unsqueeze(3)
    return case.with_items(
        Items(keys.masked_fill(hole, rubbish), values.masked_fill(hole, rubbish), mask)
    )


@every_core
def test_neither_order_nor_padding_of_a_set_makes_a_difference(
    core_class: type[MemoryCore],
) -> None:
    def check(drawn_pair: Drawn, data: st.DataObject) -> None:
        core, case = drawn_pair
        order = data.draw(st.permutations(range(case.items.mask.shape[2])))
        padding = data.draw(st.integers(0, 2))
        rubbish = data.draw(st.sampled_from([torch.nan, torch.inf, 1e6]))
        other = repacked(case, order, padding, rubbish)
        rule = "neither the order of a set's items nor the content of padding may make a difference"
        close(outcome(core, other), outcome(core, case), rule)
        ours, theirs = gradients(core, case), gradients(core, other)
        close(theirs, ours, f"{rule} to gradients")

    check_with(core_class, check)


def gradients(core: MemoryCore, case: Case) -> dict[str, Tensor]:
    """Return the gradients of a loss that depends on all outputs."""
    core.zero_grad()
    # Normalised, so that any overflow is the core's.
    parts = [part.double() for part in outcome(core, case) if part.numel()]
    loss = sum((part / (1 + part.detach().abs().max())).square().sum() for part in parts)
    if isinstance(loss, Tensor) and loss.requires_grad:
        loss.backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in core.named_parameters()
        if parameter.grad is not None
    }


@every_core
def test_padding_queries_change_no_others(core_class: type[MemoryCore]) -> None:
    def check(drawn_pair: Drawn, data: st.DataObject) -> None:
        core, case = drawn_pair
        if not core.sizes.query:
            return
        count = case.queries[..., 0].numel()
        flags = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
        mask = torch.tensor(flags).view(case.queries.shape[:3])
        values = outcome(core, case, RealPoints(mask))[0]
        rule = "a look-up with the mask of real queries must give the same values for these"
        close(values[mask], outcome(core, case)[0][mask], rule)
        require(values.isfinite().all(), "a look-up must be finite at padding queries, too")

    check_with(core_class, check)


@every_core
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_values_gradients_and_weightings_are_sound(
    core_class: type[MemoryCore], dtype: torch.dtype
) -> None:
    def check(drawn_pair: Drawn) -> None:
        core, case = drawn_pair[0].to(dtype), in_dtype(drawn_pair[1], dtype)
        outputs = outcome(core, case)
        same = all(part.dtype == dtype or core.noise_size for part in outputs)
        require(same, f"all outputs must have the dtype of the inputs, {dtype}")
        finite = all(part.isfinite().all() for part in outputs)
        require(finite, f"outputs must be finite for any parameters and inputs, in {dtype}")
        for weights in () if core.sizes.query else outputs[1:3]:
            require((weights >= 0).all(), "weightings must not be negative")
            most = 1 + 8 * torch.finfo(dtype).eps
            require((weights.double().sum(-1) <= most).all(), "weightings must sum to at most 1")
        inputs = [case.controls, *case.items[:2], case.queries]
        for name, grad in gradients(core, case).items():
            require(grad.isfinite().all(), f"the gradient of {name} must be finite in {dtype}")
        finite = all(x.grad is None or x.grad.isfinite().all() for x in inputs)
        require(finite, f"the inputs' gradients must be finite in {dtype}")

    extremes = drawn(core_class, scales=(0.0, 1.0, 3.0, 50.0), spreads=(0.0, 1.0, 10.0))
    kept = (example(case) for case in FIXED.get(core_class, lambda: [])())
    some_examples(functools.reduce(lambda test, keep: keep(test), kept, given(extremes)(check)))()


def in_dtype(case: Case, dtype: torch.dtype) -> Case:
    """Convert a case to another dtype, as leaves."""
    controls, keys, values, queries = (
        part.to(dtype).requires_grad_() for part in (case.controls, *case.items[:2], case.queries)
    )
    items = Items(keys, values, case.items.mask)
    return Case(controls, items, case.rows, queries, case.noise.to(dtype))
