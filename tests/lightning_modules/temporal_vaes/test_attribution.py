"""Attribution correctness of whole models: stored items, measured sequences, and values."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences, MNISTMaze
from lightning_modules import GTMM, VRNN
from lightning_modules.metrics.read_correctness import read_measurements
from lightning_modules.metrics.step_means import Measurement
from lightning_modules.temporal_vaes import attribution
from lightning_modules.temporal_vaes.attribution import attribution_measurements, stored
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import CORES, DNC, RMR, ContextWindow, Introspection, Items, MemoryCore, NoMemory

SIZES: dict[str, Any] = {
    "sequence_length": 25,
    "prefix_length": 12,
    "action_size": 5,
    "frame_shape": (1, 28, 28),
    "latent_size": 4,
    "controller_size": 6,
    "map_size": 0,
}


@pytest.fixture(scope="module")
def batch() -> FrameSequences:
    data = MNISTMaze(source="mnist5k", num_workers=0, test_size=12)
    data.setup()
    return data.dataset("test").__getitems__(range(12))


def make(memory: Any) -> GTMM:
    torch.manual_seed(0)
    return GTMM(memory=memory, **SIZES).double()


def measured(model: TemporalVAE, batch: FrameSequences) -> Measurement:
    batch = batch._replace(frames=batch.frames.double(), actions=batch.actions.double())
    with torch.inference_mode():
        unrolled = model(batch.frames, batch.actions, model.noise(batch), record=True)
        found = attribution_measurements(model, batch, unrolled.trajectory)
    # Copies are no tensors of inference mode.
    return Measurement(*(part.clone() for part in found["attribution_correctness"]))


def test_what_is_stored_is_what_the_model_stores(
    batch: FrameSequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[tuple[Tensor, Items]] = []
    own = Introspection.write_and_read

    def note(self: MemoryCore, state: Any, control: Tensor, items: Items, *rest: Any) -> Any:
        inputs.append((control, items))
        return own(self, state, control, items, *rest)

    monkeypatch.setattr(Introspection, "write_and_read", note)
    model = make(Introspection)
    frames, actions = batch.frames.double(), batch.actions.double()
    trajectory = model(frames, actions, record=True).trajectory
    items = stored(trajectory.control, trajectory.latent)
    for t, (control, item) in enumerate(inputs):
        assert torch.equal(control, trajectory.control[:, t])
        assert torch.equal(item.mask, items.mask[:, t : t + 1])
        assert torch.equal(item.keys, items.keys[:, t : t + 1])
        assert torch.equal(item.values, items.values[:, t : t + 1])
    assert len(inputs) == 25


def test_a_core_that_draws_draws_what_the_model_drew(
    batch: FrameSequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[list[Tensor]] = [[], []]
    own = RMR.write_and_read

    def note(self: MemoryCore, *args: Any) -> Any:
        reads, state, kl = own(self, *args)
        passes[torch.is_grad_enabled()].append(state.keys.detach())
        return reads, state, kl

    monkeypatch.setattr(RMR, "write_and_read", note)
    torch.manual_seed(0)
    memory = partial(RMR, stochastic_keys=True, slots=3)
    measured(GTMM(memory=memory, **{**SIZES, "map_size": 8}).double(), batch)
    inferred, attributed = passes
    assert len(inferred) == 25
    for found, expected in zip(attributed, inferred, strict=True):
        torch.testing.assert_close(found.double(), expected)


def test_of_one_averaging_head_it_is_the_read_correctness(batch: FrameSequences) -> None:
    model = make(partial(ContextWindow, read_heads=1))
    frames, actions = batch.frames.double(), batch.actions.double()
    weightings = model(frames, actions, model.noise(batch).double(), record=True)
    expected = read_measurements(weightings.trajectory.weightings, batch)["read_correctness"]
    found = measured(model, batch)
    torch.testing.assert_close(
        found.values[found.where], expected.values[found.where], atol=1e-6, rtol=0
    )
    assert found.values[found.where].std() > 0.1


@pytest.mark.parametrize("core", CORES)
def test_every_core_has_it_in_one_recalled_step_of_each_sequence(
    core: type[MemoryCore], batch: FrameSequences
) -> None:
    found = measured(make(core), batch)
    assert found.where.sum(1).tolist() == [1] * 12
    assert (batch.recalled_from[found.where] >= 0).all()
    values = found.values[found.where]
    assert (values >= 0).all() and (values <= 1 + 1e-6).all()
    assert values.any() == (core is not NoMemory), "it reads nothing"


def test_the_vrnn_reads_nothing(batch: FrameSequences) -> None:
    torch.manual_seed(0)
    found = measured(VRNN(**SIZES).double(), batch)
    assert found.where.sum() == 12 and not found.values.any()


def test_the_first_sequences_of_the_set_are_measured_however_it_is_divided(
    batch: FrameSequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "ATTRIBUTED", 7)
    model = make(Introspection)
    whole = measured(model, batch)
    assert whole.where.any(1).tolist() == [True] * 7 + [False] * 5
    for rows in ([3, 9, 0], [10, 11]):
        part = measured(model, FrameSequences(*(field[rows] for field in batch)))
        assert torch.equal(part.where, whole.where[rows])
        torch.testing.assert_close(part.values[part.where], whole.values[rows][part.where])


def test_a_sequence_without_recalled_steps_has_none(batch: FrameSequences) -> None:
    never = batch._replace(recalled_from=torch.full_like(batch.recalled_from, -1))
    assert not measured(make(Introspection), never).where.any()


def test_it_is_found_in_mixed_precision(batch: FrameSequences) -> None:
    """Autocast keeps copies of weights, which may be tensors of inference mode."""
    batch = FrameSequences(*(field[:3] for field in batch))
    torch.manual_seed(0)
    model = GTMM(memory=DNC, **SIZES)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        unrolled = model(batch.frames, batch.actions, model.noise(batch), record=True)
        found = attribution_measurements(model, batch, unrolled.trajectory)
        measured = found["attribution_correctness"]
        values = measured.values[measured.where]
    assert len(values) == 3 and values.isfinite().all() and values.any()
