"""Joint look-ups in a step's items and the memory against NumPy; how sets are stored."""

from typing import Any

import numpy as np
import pytest
import torch

from memory_cores import DNC, LRU, NTM, SAM, Introspection, Items, MemorySizes, NoMemory
from memory_cores.parts.joint_lookup import JointLookup
from tests.memory_cores.random_use import random_step, randomised

SIZES = MemorySizes(control=3, key=2, value=4, steps=7, query=2)
KIND = {"attention": "dot_product"}
CORES = {
    "DNC": (DNC, KIND | {"word_size": 3}),
    "LRU": (LRU, KIND | {"word_size": 3, "read_heads": 2}),
    "NTM": (NTM, KIND | {"word_size": 3}),
    "SAM": (SAM, KIND | {"word_size": 3}),
    "Introspection": (Introspection, {"lookup_attention": "dot_product"}),
    "NoMemory": (NoMemory, KIND),
}
every_core = pytest.mark.parametrize("name", CORES)


def make(name: str, **settings: Any) -> JointLookup:
    torch.manual_seed(0)
    core_class, defaults = CORES[name]
    return randomised(core_class(SIZES, **{**defaults, **settings}), 0.5)


def encoded(core: JointLookup, points: np.ndarray) -> np.ndarray:
    """Apply the attention's shared encoder."""
    first, _, second = core.lookup_attention.encoder
    hidden = points @ first.weight.numpy().T + first.bias.numpy()
    return np.maximum(hidden, 0) @ second.weight.numpy().T + second.bias.numpy()


def stored_pairs(core: JointLookup, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys and values of one sequence's rows."""
    if isinstance(core, NoMemory):
        return rows, rows
    if isinstance(core, Introspection):
        return core.age_keys.numpy(), rows
    maps = core.key_of_word, core.value_of_word
    keys, values = (rows @ layer.weight.numpy().T + layer.bias.numpy() for layer in maps)
    return keys, values


@every_core
def test_a_look_up_equals_the_reference(name: str) -> None:
    """Weights are proportional to share * exp(score)."""
    core = make(name).requires_grad_(False)
    state = core.initial_state(2, torch.zeros(1, dtype=torch.float64))
    queries = torch.randn(2, 5, 2).double()
    for t in range(5):
        control, items = random_step(SIZES, 2, items=3 - t % 3)
        state = core.write(state, control, items)
        found = core.lookup(core.snapshot(state, items), queries)
        stored, codes = core.stored(state), encoded(core, queries.numpy())
        for b in range(2):
            real = items.mask[b].numpy()
            keys, values = stored_pairs(core, stored.rows[b].numpy())
            keys = np.concatenate([encoded(core, items.keys[b].numpy()[real]), keys])
            values = np.concatenate([items.values[b].numpy()[real], values])
            share = np.concatenate([np.ones(real.sum()), stored.share[b].numpy()])
            weights = share * np.exp(codes[b] @ keys.T / np.sqrt(SIZES.value))
            number = weights.sum(1, keepdims=True)
            expected = np.divide(weights @ values, number, where=number > 0, out=0 * codes[b])
            assert np.abs(found[b].numpy() - expected).max() < 1e-9, f"step {t}"


@every_core
def test_a_set_is_stored_as_its_mean(name: str) -> None:
    core = make(name)
    control, items = random_step(SIZES, 2, items=4)
    mean, present = items.pooled()
    keys, values = mean.unsqueeze(1).split([SIZES.key, SIZES.value], 2)
    state = core.initial_state(2, control)
    of_set = core.stored(core.write(state, control, items))
    of_mean = core.stored(core.write(state, control, Items(keys, values, present > 0)))
    for ours, theirs in zip(of_set, of_mean, strict=True):
        torch.testing.assert_close(ours, theirs)


@every_core
def test_uniform_attention_has_no_keys(name: str) -> None:
    """Parameters without a gradient break distributed training."""
    setting = next(s for s, kind in CORES[name][1].items() if kind == "dot_product")
    core = make(name, **{setting: "uniform"})
    control, items = random_step(SIZES, 2, items=4)
    state = core.write(core.initial_state(2, control), control, items)
    found = core.lookup(core.snapshot(state, items), torch.randn(2, 5, 2).double())
    torch.testing.assert_close(found, found[:, :1].expand_as(found))
    assert not any("key_of_word" in n or "age_keys" in n for n, _ in core.named_parameters())


@every_core
def test_a_wrong_setting_is_named(name: str) -> None:
    core_class = CORES[name][0]
    with pytest.raises(ValueError, match="attention_heads must be at least 1, got 0"):
        core_class(SIZES, attention_heads=0)
    with pytest.raises(ValueError, match="queries must be as wide as keys \\(2\\), got 3"):
        core_class(SIZES._replace(query=3))
