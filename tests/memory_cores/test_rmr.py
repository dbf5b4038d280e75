"""RMR against a NumPy reference, and its look-ups, sets, ablations, Gaussian keys and sizes."""

from math import nan
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from memory_cores import RMR, Items, MemoryCore, MemorySizes
from memory_cores.rmr import RMRSnapshot, RMRState
from tests.memory_cores import rmr_reference as reference
from tests.memory_cores.rmr_parameters import of_core

SIZES = MemorySizes(control=4, key=2, value=6, steps=7, query=2)
HEADED = SIZES._replace(query=0)
DOUBLE = torch.zeros(1, dtype=torch.float64)


def make_core(sizes: MemorySizes = SIZES, **settings: Any) -> RMR:
    """Build a float64 core with non-zero biases."""
    torch.manual_seed(0)
    core = RMR(sizes, **settings).double()
    for name, parameter in core.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return core


def random_step(batch: int, items: int, sizes: MemorySizes = SIZES) -> tuple[Tensor, Items]:
    """Draw a control and a set with padding; some sequences have no real items."""
    control = torch.randn(batch, sizes.control, dtype=torch.float64)
    keys = 2 * torch.randn(batch, items, sizes.key, dtype=torch.float64)
    values = torch.randn(batch, items, sizes.value, dtype=torch.float64)
    return control, Items(keys, values, torch.rand(batch, items) < 0.6)


def unroll(core: RMR, steps: list[tuple[Tensor, Items]]) -> list[RMRState]:
    states, state = [], core.initial_state(len(steps[0][0]), DOUBLE)
    for control, items in steps:
        state = core.write(state, control, items)
        states.append(state)
    return states


def points(items: Items, b: int) -> list[reference.Point]:
    keys, values, mask = (part[b].numpy() for part in items)
    return [(keys[i], values[i]) for i in range(len(mask)) if mask[i]]


# The reference -----------------------------------------------------------------------------

VARIANTS: dict[str, dict[str, Any]] = {
    "one cell": {"slots": 1},
    "25 cells": {"slots": 25, "attention_heads": 8},
    "one head": {"slots": 4, "attention_heads": 1},
    "three heads": {"slots": 4, "attention_heads": 3},
    "dot product": {"slots": 4, "attention": "dot_product"},
    "laplace": {"slots": 4, "attention": "laplace"},
    "encoded laplace": {"slots": 4, "attention": "encoded_laplace"},
    "uniform": {"slots": 4, "attention": "uniform"},
    "separate weights": {"slots": 5, "separate_weights": True},
    "attention only": {"slots": 5, "without_flow_tracking": True},
    "recurrence only": {"slots": 5, "without_flow_interaction": True},
    "separate, recurrence only": {
        "slots": 5,
        "separate_weights": True,
        "without_flow_interaction": True,
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_fifty_steps_equal_the_reference(name: str) -> None:
    settings = VARIANTS[name]
    core = make_core(HEADED, read_heads=2, **settings)
    parameters = of_core(core, settings.get("attention", "multihead"))
    ablations = {"tracking": core.tracks, "interaction": core.interacts}
    state, memories = core.initial_state(2, DOUBLE), [reference.start(parameters)] * 2
    for t in range(50):
        control, items = random_step(2, items=(0, 1, 3, 7)[t % 4])
        with torch.no_grad():
            state = core.write(state, control, items)
            reads, state = core.read(state, control)
            queries = core.read_keys(control).view(2, 2, SIZES.key)
            found = core.lookup(core.snapshot(state, items), queries)
        total, count = core.pool(state)
        for b in range(2):
            context, encoding = points(items, b), control[b].numpy()
            memories[b] = memory = reference.step(
                memories[b], context, encoding, parameters, **ablations
            )
            expected = [reference.read(memory, query.numpy(), parameters) for query in queries[b]]
            weights = [reference.read_weights(memory, q.numpy(), parameters) for q in queries[b]]
            for ours, theirs in [
                (state.keys[b], memory.keys),
                (state.values[b], memory.values),
                (reads[b].view(2, -1), expected),
                (found[b], expected),
                (state.read_weights[b], weights),
                (total[b], sum(memory.values)),
                (count[b], len(memory.values)),
            ]:
                difference = np.abs(ours.detach().numpy() - np.array(theirs)).max()
                assert difference < 1e-9, f"step {t}, sequence {b}"


@pytest.mark.parametrize("interacts", [True, False])
@pytest.mark.parametrize("maps", [(2, 2), (1, 3)])
def test_steps_on_maps_equal_the_reference(maps: tuple[int, int], interacts: bool) -> None:
    """ATGQN-RMR: values are maps, tracked by a ConvLSTM."""
    value = 2 * maps[0] * maps[1]
    sizes = MemorySizes(control=value, key=2, value=value, steps=7, query=2, maps=maps)
    core = make_core(sizes, slots=3, attention_heads=2, without_flow_interaction=not interacts)
    parameters = of_core(core, "multihead")
    state, memories = core.initial_state(2, DOUBLE), [reference.start(parameters)] * 2
    for t in range(12):
        control, items = random_step(2, (0, 1, 3, 7)[t % 4], sizes)
        queries = 2 * torch.randn(2, 4, 2, dtype=torch.float64)
        with torch.no_grad():
            state = core.write(state, control, items)
            found = core.lookup(core.snapshot(state, items), queries)
        for b in range(2):
            memories[b] = memory = reference.step(
                memories[b], points(items, b), control[b].numpy(), parameters, True, interacts
            )
            expected = [reference.read(memory, query.numpy(), parameters) for query in queries[b]]
            for ours, theirs in ((state.values[b], memory.values), (found[b], expected)):
                assert np.abs(ours.numpy() - np.array(theirs)).max() < 1e-9, f"step {t}"


def test_its_start_is_learned_and_within_the_ranges() -> None:
    wide = SIZES._replace(key_range=3)
    for core in (RMR(wide, slots=200), RMR(SIZES, slots=200, key_range=3)):
        assert 2.8 < core.initial_keys.abs().max() <= 3
    assert 0.48 < core.initial_values.abs().max() <= 0.5
    assert core.initial_keys.requires_grad and core.initial_values.requires_grad


# Sets -------------------------------------------------------------------------------------------


def test_five_hundred_points_are_read_with_the_cells() -> None:
    core = make_core(slots=1)
    control, items = random_step(2, items=500)
    (state,) = unroll(core, [(control, items)])
    assert core.lookup(core.snapshot(state, items), items.keys).shape == items.values.shape
    flipped = Items(*(part.flip(1) for part in items))
    (other,) = unroll(core, [(control, flipped)])
    torch.testing.assert_close(other.values, state.values)
    queries = items.keys[:, :5]
    torch.testing.assert_close(
        core.lookup(core.snapshot(other, flipped), queries),
        core.lookup(core.snapshot(state, items), queries),
    )


def test_a_masked_point_equals_a_missing_one_with_no_gradient() -> None:
    core = make_core(slots=3)
    control, items = random_step(1, items=4)
    items = items._replace(mask=torch.tensor([[True, False, True, True]]))
    items.values.requires_grad_(), items.keys.requires_grad_()
    states = unroll(core, [(control, items), random_step(1, 0)])
    kept = Items(*(part[:, [0, 2, 3]] for part in items))
    expected = unroll(core, [(control, kept), random_step(1, 0)])
    torch.testing.assert_close(expected[0].values, states[0].values)
    states[1].values.square().sum().backward()
    for part in (items.keys, items.values):
        assert (part.grad[:, 1] == 0).all() and (part.grad[:, [0, 2, 3]] != 0).any()


def test_an_empty_set_advances_the_cells_and_leaves_no_items() -> None:
    core = make_core(slots=3)
    control, items = random_step(2, items=3)
    first, second = unroll(core, [(control, items), random_step(2, 0)])
    assert second.item_keys.shape[1] == 0
    assert (first.keys != second.keys).any() and (first.values != second.values).any()


# Look-ups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["multihead", "laplace"])
def test_look_ups_at_once_equal_those_step_by_step(attention: Any) -> None:
    core = make_core(slots=3, attention=attention)
    steps = [random_step(2, 4) for _ in range(5)]
    states = unroll(core, steps)
    snapshots = [
        core.snapshot(state, items) for state, (_, items) in zip(states, steps, strict=True)
    ]
    stacked = RMRSnapshot(*(torch.stack(parts, 1) for parts in zip(*snapshots, strict=True)))
    queries = torch.randn(2, 5, 6, SIZES.query).double()
    together = core.lookup(stacked, queries)
    assert together.shape == (2, 5, 6, SIZES.value)
    for t, snapshot in enumerate(snapshots):
        torch.testing.assert_close(together[:, t], core.lookup(snapshot, queries[:, t]))
        assert torch.equal(stacked.places[:, t], states[t].keys), "where pictures show the cells"


def test_gradients_are_finite_differences() -> None:
    core = make_core(HEADED, slots=2, attention_heads=2, read_heads=1)
    control, items = random_step(2, items=2)
    items = items._replace(mask=torch.tensor([[True, True], [False, False]]))

    def read_twice(control: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        step = (control, Items(keys, values, items.mask))
        return core.read(unroll(core, [step, step])[-1], control)[0]

    inputs = [x.requires_grad_() for x in (control, items.keys, items.values)]
    assert torch.autograd.gradcheck(read_twice, inputs)


# Gaussian keys ----------------------------------------------------------------------------------


def test_gaussian_keys_follow_their_means_and_sigmas() -> None:
    core = make_core(slots=3, stochastic_keys=True)
    control, items = random_step(1, items=2)
    many = Items(*(part.expand(20_000, *part.shape[1:]) for part in items))
    (state,) = unroll(core, [(control.expand(20_000, -1), many)])
    mean, sigma = state.key_parameters[0].chunk(2, 1)
    torch.testing.assert_close(state.keys.mean(0), mean, atol=0.05, rtol=0.02)
    torch.testing.assert_close(state.keys.std(0), sigma.exp(), atol=0.02, rtol=0.05)


def random_steps(batch: int, steps: int) -> tuple[Tensor, Items, Tensor]:
    """Draw controls and items of all steps, and the posterior's controls."""
    controls, items = zip(*(random_step(batch, 3) for _ in range(steps)), strict=True)
    together = Items(*(torch.stack(parts, 1) for parts in zip(*items, strict=True)))
    return torch.stack(controls, 1), together, torch.randn(batch, steps, SIZES.control).double()


def gaussian(parameters: Tensor) -> Independent:
    means, log_sigmas = parameters.chunk(2, -1)
    return Independent(Normal(means, log_sigmas.exp()), 2)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"without_flow_tracking": True},
        {"without_flow_interaction": True},
        {"separate_weights": True, "attention": "laplace"},
        {"stochastic_keys": True},
    ],
    ids=str,
)
def test_an_unroll_equals_the_steps_one_by_one(settings: dict[str, Any]) -> None:
    """Hoisting work out of the loop changes neither the memory nor any gradient."""
    core = make_core(slots=3, **settings)
    controls, items, observed = random_steps(2, steps=4)
    outcomes = []
    for unroll_all in (core.unroll, lambda *inputs: MemoryCore.unroll(core, *inputs)):
        torch.manual_seed(3)
        result = unroll_all(controls, items, observed)
        read = core.lookup(result.snapshot, items.keys)
        core.zero_grad()
        (read.square().sum() + result.kl.sum()).backward()
        gradients = [p.grad.clone() for p in core.parameters() if p.grad is not None]
        outcomes.append(
            [*result.snapshot, result.total, result.number, result.kl, read, *gradients]
        )
    torch.testing.assert_close(*outcomes)


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("seed", range(3))
def test_values_without_trackers_initially_neither_grow_nor_vanish(seed: int, width: int) -> None:
    """With the authors' initialisation they change by factors of 0.3 to 500 in 50 steps."""
    torch.manual_seed(seed)
    core = RMR(MemorySizes(width, 1, width, 50, 1), without_flow_tracking=True)
    nothing = Items(*(torch.zeros(2, 50, 0, n) for n in (1, width)), torch.zeros(2, 50, 0) > 0)
    values = core.unroll(torch.zeros(2, 50, width), nothing).snapshot.values
    torch.testing.assert_close(values[:, 49].norm(), values[:, 0].norm(), rtol=0.05, atol=0)


@pytest.mark.parametrize("without_flow_interaction", [False, True])
def test_the_kl_is_that_of_the_keys_in_every_step(without_flow_interaction: bool) -> None:
    core = make_core(
        slots=3, stochastic_keys=True, without_flow_interaction=without_flow_interaction
    )
    assert core.noise_size == 3 * SIZES.key
    controls, items, observed = random_steps(2, steps=4)
    noise = torch.randn(2, 4, core.noise_size).double()
    found = core.unroll(controls, items, observed, noise)
    state = core.initial_state(2, DOUBLE)
    for t in range(4):
        prior = gaussian(core.key_distribution(state, controls[:, t]))
        parameters = core.key_distribution(state, observed[:, t])
        step = Items(*(part[:, t] for part in items))
        state, _ = core.advance(state, controls[:, t], step, observed[:, t], noise[:, t])
        torch.testing.assert_close(state.key_parameters, parameters)
        torch.testing.assert_close(found.kl[:, t], kl_divergence(gaussian(parameters), prior))
        torch.testing.assert_close(found.total[:, t], core.pool(state)[0])
    assert (found.kl > 0).all()
    found.kl.sum().backward()
    assert all((p.grad != 0).any() for p in core.key_output.parameters())


@pytest.mark.parametrize("without_flow_interaction", [False, True])
def test_the_posterior_influences_nothing_but_the_keys(without_flow_interaction: bool) -> None:
    """With equal keys, observations change nothing else in the state."""
    core = make_core(
        slots=3, stochastic_keys=True, without_flow_interaction=without_flow_interaction
    )
    with torch.no_grad():
        core.key_output[2].weight.zero_()  # keys independent of the tracker
    control, items = random_step(2, 3)
    states = []
    for observed in (None, torch.randn(2, SIZES.control).double()):
        torch.manual_seed(3)
        states.append(core.advance(core.initial_state(2, DOUBLE), control, items, observed)[0])
    for ours, theirs in zip(*states, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_without_observations_or_draws_the_kl_is_zero() -> None:
    controls, items, observed = random_steps(2, steps=4)
    assert (make_core(stochastic_keys=True).unroll(controls, items).kl == 0).all()
    core = make_core()
    assert core.noise_size == 0
    found, same = core.unroll(controls, items, observed), core.unroll(controls, items)
    assert (found.kl == 0).all() and torch.equal(found.total, same.total)


def test_deterministic_keys_have_no_distribution_parameters() -> None:
    states = unroll(make_core(slots=3), [random_step(2, 3)])
    assert states[0].key_parameters.shape == (2, 3, 0)


# Sizes and settings -----------------------------------------------------------------------------


def test_the_number_of_parameters_is_the_papers() -> None:
    """The core of ASNP-RMR with h = 128, K = 25, and scalar x and y."""
    core = RMR(MemorySizes(control=128, key=1, value=128, steps=50, query=1))
    parts = {
        "attention": 16_768 + 65_536,
        "key_tracker": 4 * 128 * (25 + 128 + 128) + 4 * 128,
        "key_output": 128 * 128 + 128 + 128 * 25 + 25,
        "value_tracker": 4 * 128 * (1 + 128 + 128) + 4 * 128,
    }
    for name, count in parts.items():
        assert sum(p.numel() for p in getattr(core, name).parameters()) == count, name
    start = 25 * (1 + 128)
    assert sum(p.numel() for p in core.parameters()) == sum(parts.values()) + start == 381_746


def test_only_models_that_do_not_read_by_query_have_read_heads() -> None:
    assert RMR(SIZES, read_heads=2).context_size == 0
    assert RMR(HEADED).context_size == 5 * SIZES.value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": 0}, "slots must be at least 1, got 0"),
        ({"attention_heads": 0}, "attention_heads must be at least 1, got 0"),
        ({"read_heads": 0}, "read_heads must be at least 1, got 0"),
        ({"key_range": 0.0}, "key_range must be above 0, got 0.0"),
        ({"key_range": nan}, "key_range must be above 0, got nan"),
        ({"slots": nan}, "slots must be at least 1, got nan"),
        ({"attention": "cosine"}, "attention must be one of .*, got 'cosine'"),
        ({"sizes": SIZES._replace(query=3)}, "as wide as keys \\(2\\), got 3"),
        (
            {"without_flow_tracking": True, "without_flow_interaction": True},
            "nothing computes values",
        ),
        ({"without_flow_tracking": True, "separate_weights": True}, "separate_weights must be"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RMR(**{"sizes": SIZES, **settings})
