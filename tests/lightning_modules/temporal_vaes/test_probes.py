"""Probes of models of frames, on a core that was planted and so recalls in a known way."""

from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences, PerfectRecall
from lightning_modules import GTMM, VRNN, CompactNetworks
from lightning_modules.metrics.step_means import Measurement
from lightning_modules.probes import DONOR, OWN, PROBED, REFERENCE, cycles, measure
from lightning_modules.temporal_vaes.backbone import Trajectory
from lightning_modules.temporal_vaes.probes import (
    FrameProbes,
    edit_after,
    recalled_from_prefix,
    slot_priorities,
)
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import DNC, Items, MemoryCore, NoMemory
from memory_cores.parts.real_points import RealPoints

L, K, Z, BATCH = 6, 3, 4, 4
#: The posterior's mean, and the logs of both sigmas.
MEAN, LOG_SIGMA = 2.0, -1.0
ROWS = {"memory": 0}


class TapeState(NamedTuple):
    memory: Tensor  #: [B, N, Dv], the newest first


class Tape(MemoryCore[TapeState]):
    """Reads what was stored L steps ago."""

    def initial_state(self, batch_size: int, like: Tensor) -> TapeState:
        return TapeState(like.new_zeros(batch_size, L + K, self.sizes.value))

    def write(self, state: TapeState, control: Tensor, items: Items) -> TapeState:
        new = items.values * items.mask.unsqueeze(2)
        return TapeState(torch.cat([new, state.memory[:, :-1]], 1))

    def _read(self, state: TapeState, control: Tensor) -> tuple[Tensor, TapeState]:
        return state.memory[:, L - 1], state

    def lookup(self, snapshot: Any, queries: Tensor, real: RealPoints | None = None) -> Tensor:
        raise NotImplementedError

    def pool(self, state: TapeState) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


def generated(model: TemporalVAE, batch: FrameSequences, edit: Any, draw: int = 1) -> Trajectory:
    """Infer the first L steps, and generate all others."""
    noise = model.noise(batch, draw)
    return model.unroll(batch.frames[:, :L], batch.actions, noise, edit=edit)


@pytest.fixture(scope="module")
def data() -> PerfectRecall:
    data = PerfectRecall(L, K, source="mnist5k", test_size=BATCH, num_workers=0)
    data.setup()
    return data


@pytest.fixture(scope="module")
def batch(data: PerfectRecall) -> FrameSequences:
    return next(iter(data.test_dataloader()))


def model_of(kind: Any = GTMM, **memory: Any) -> Any:
    torch.manual_seed(0)
    return kind(
        sequence_length=L + K,
        prefix_length=L,
        action_size=0,
        frame_shape=(1, 28, 28),
        visual=partial(CompactNetworks, hidden_size=16),
        latent_size=Z,
        controller_size=8,
        map_size=0,
        **memory,
    ).eval()


@pytest.fixture
def planted() -> GTMM:
    """The prior expects what is read; the posterior is the same at every step."""
    model = model_of(memory=Tape)
    prior, posterior = model.backbone.prior_map, model.backbone.posterior_map
    with torch.no_grad():
        for layer in (prior.from_psi, posterior.from_psi, posterior.observe):
            layer.weight.zero_()
        prior.from_psi.weight[:Z, :Z] = torch.eye(Z)
        prior.from_psi.bias.copy_(torch.tensor([0.0, LOG_SIGMA]).repeat_interleave(Z))
        posterior.from_psi.bias.copy_(torch.tensor([MEAN, LOG_SIGMA]).repeat_interleave(Z))
    return model


def measured(model: Any, data: PerfectRecall, batch: FrameSequences, change: Any) -> Any:
    with torch.no_grad():
        return FrameProbes().measured(model, data, batch, change, ROWS)


def mean(measurement: Measurement) -> float:
    return float(measurement.values[measurement.where].mean())


def half_square(noise: Tensor) -> float:
    """Half the squared distance of a draw from its mean, in sigmas: the KL of equal Gaussians."""
    return float(noise.square().sum(2).mean() / 2)


def test_recalled_steps_are_those_after_the_prefix(batch: FrameSequences) -> None:
    where = recalled_from_prefix(batch, L)
    assert torch.equal(where, torch.arange(L + K).ge(L).expand(BATCH, -1))
    # Of the answers, which are frames 0, 1 and 2, a prefix of two frames holds two.
    assert recalled_from_prefix(batch, 2).sum(1).tolist() == [2] * BATCH


def test_recall_under_each_change_is_what_it_must_be(
    planted: GTMM, data: PerfectRecall, batch: FrameSequences
) -> None:
    noise = planted.noise(batch)
    missed = Z * MEAN**2 / (2 * torch.tensor(2 * LOG_SIGMA).exp())
    untouched = measured(planted, data, batch, "untouched")
    torch.testing.assert_close(mean(untouched[REFERENCE]), float(missed))
    # What is read is off by the noise with which it was drawn.
    assert mean(untouched[PROBED]) == pytest.approx(half_square(noise[:, :K]), rel=1e-4)
    zeroed = measured(planted, data, batch, "zeroed")
    assert mean(zeroed[PROBED]) == pytest.approx(mean(untouched[REFERENCE]), rel=1e-5)
    donors = half_square(noise[:, :K].roll(1, 0))
    assert mean(measured(planted, data, batch, "transplanted")[PROBED]) == pytest.approx(
        donors, rel=1e-4
    )


@pytest.mark.parametrize(("at_least", "sequences"), [(1, 2), (3, 4), (9, 4)])
def test_whole_batches_are_measured(planted: GTMM, at_least: int, sequences: int) -> None:
    data = PerfectRecall(
        L, K, source="mnist5k", test_size=5, eval_batch_size=2, num_workers=0, batch_size=2
    )
    data.setup()
    found = measure(planted, data, ["untouched", "zeroed"], {}, at_least)
    # The fifth has no donor.
    assert (found.sequences, found.steps, found.stored) == (sequences, L + K, L)
    sums = found.sums["zeroed"]
    assert sums[PROBED].sequences.tolist() == [0] * L + [sequences] * K
    assert FrameProbes().value(sums, found.sums["untouched"]) == pytest.approx(1, rel=1e-5)


def test_a_sequence_alone_has_no_donor(planted: GTMM) -> None:
    data = PerfectRecall(L, K, source="mnist5k", test_size=2, eval_batch_size=1, num_workers=0)
    data.setup()
    with pytest.raises(ValueError, match="eval_batch_size must be at least 2, for donors, got 1"):
        measure(planted, data, ["untouched"], {}, 2)


def test_a_transplanted_model_generates_the_latents_of_its_donor(
    planted: GTMM, batch: FrameSequences
) -> None:
    with torch.no_grad():
        found = generated(planted, batch, edit_after(planted, batch, "transplanted", ROWS))
    expected = found.latent[:, :K].roll(1, 0)
    torch.testing.assert_close(found.prior.mean[:, L:], expected)
    assert not torch.allclose(found.prior.mean[:, L:], found.latent[:, :K], atol=0.1)


def test_a_core_that_reads_by_position_reads_another_time_when_shuffled(
    planted: GTMM, batch: FrameSequences
) -> None:
    with torch.no_grad():
        found = generated(planted, batch, edit_after(planted, batch, "shuffled", ROWS))
    state = planted.core.initial_state(BATCH, batch.frames)
    # Before step L the newest of L - 1 items is in row 0; the row that step L reads moves up once.
    real = (torch.arange(L + K) < L - 1).expand(BATCH, -1)
    source = cycles(slot_priorities(planted, batch, state, ROWS), real)
    step = L - 2 - source[:, L - 2]
    assert (step != 0).all()
    expected = found.latent[torch.arange(BATCH), step]
    torch.testing.assert_close(found.prior.mean[:, L], expected)


def test_classes_are_those_of_the_own_and_of_the_donors_digits(
    planted: GTMM, data: PerfectRecall, batch: FrameSequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    donors = batch.labels.roll(1, 0)
    monkeypatch.setitem(data.__dict__, "picture_classifier", lambda frames: donors[:, L:].flatten())
    found = measured(planted, data, batch, "untouched")
    assert mean(found[DONOR]) == 1
    assert mean(found[OWN]) == float((donors == batch.labels)[:, L:].float().mean())
    assert torch.equal(found[OWN].where, found[PROBED].where)


@pytest.mark.parametrize(
    ("kind", "memory"), [(GTMM, {"memory": DNC}), (GTMM, {"memory": NoMemory}), (VRNN, {})]
)
def test_an_edit_that_changes_nothing_changes_no_number(
    kind: Any, memory: dict[str, Any], batch: FrameSequences
) -> None:
    model = model_of(kind, **memory)
    edited_steps = []

    def edit(t: int, state: Any) -> Any:
        edited_steps.append(t)
        return state

    with torch.no_grad():
        plain, edited = (generated(model, batch, e, draw=0) for e in (None, edit))
    assert edited_steps == list(range(L + K))
    for one, other in zip(plain[:2], edited[:2], strict=True):
        assert torch.equal(one, other)


def test_a_donor_that_is_the_same_sequence_changes_nothing(
    data: PerfectRecall, batch: FrameSequences
) -> None:
    model = model_of(memory=DNC)
    same = FrameSequences(*(part[:1].expand(2, *part.shape[1:]) for part in batch))
    one, other = (measured(model, data, same, change) for change in ("untouched", "transplanted"))
    for name in (PROBED, OWN):  # equal rows of a product may be rounded differently
        torch.testing.assert_close(one[name].values, other[name].values)


@pytest.mark.parametrize(("kind", "memory"), [(GTMM, {"memory": NoMemory}), (VRNN, {})])
@pytest.mark.parametrize("change", ["zeroed", "transplanted"])
def test_nothing_is_lost_where_nothing_is_stored(
    kind: Any, memory: dict[str, Any], change: str, data: PerfectRecall, batch: FrameSequences
) -> None:
    model = model_of(kind, **memory)
    one, other = (measured(model, data, batch, each) for each in ("untouched", change))
    assert torch.equal(one[PROBED].values, other[PROBED].values)
