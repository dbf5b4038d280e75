"""Views that a camera returns to: against plain loops, scikit-free formulas and other batches."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences
from lightning_modules.metrics.returned_views import returned_view_measurements

T, PREFIX, COUNT = 12, 6, 4
#: First step whose answer was given five steps before, the youngest that counts.
FIRST = 8


@pytest.fixture
def batch() -> FrameSequences:
    """Films of which the second half returns to the first, in reverse."""
    torch.manual_seed(0)
    place = torch.tensor([*range(6), *range(5, -1, -1)]).expand(COUNT, T)
    recalled_from = torch.tensor([-1] * 6 + [*range(5, -1, -1)]).expand(COUNT, T)
    frames = torch.rand(COUNT, T, 3, 32, 32, dtype=torch.float64)
    actions, labels = torch.zeros(COUNT, T, 0), torch.zeros_like(place)
    return FrameSequences(frames, actions, recalled_from, place, labels, torch.arange(COUNT))


def measured(generated: Tensor, batch: FrameSequences) -> dict[str, Tensor]:
    found = returned_view_measurements(generated.logit(), batch, PREFIX)
    return {n: m.values.double().masked_fill(~m.where, torch.nan) for n, m in found.items()}


def test_errors_are_what_plain_loops_find(batch: FrameSequences) -> None:
    generated = torch.rand_like(batch.frames)
    found = measured(generated, batch)
    for b in range(COUNT):
        for t in range(T):
            if t < FIRST:
                assert all(values[b, t].isnan() for values in found.values())
                continue
            shown = batch.frames[b, 11 - t]
            others = [batch.frames[room, 11 - t] for room in range(COUNT) if room != b]
            error = ((generated[b, t] - shown) ** 2).mean().item()
            assert found["returned_error"][b, t].item() == pytest.approx(error)
            against = np.mean([((generated[b, t] - o) ** 2).mean().item() for o in others])
            assert found["returned_error_other"][b, t].item() == pytest.approx(against)
            decibels = -10 * math.log10(error)
            assert found["returned_psnr"][b, t].item() == pytest.approx(decibels, rel=1e-5)


def test_a_perfect_memory_is_similar_and_noise_is_not(batch: FrameSequences) -> None:
    again = torch.cat([batch.frames[:, :6], batch.frames[:, :6].flip(1)], 1).clamp(1e-6, 1 - 1e-6)
    perfect, noise = measured(again, batch), measured(torch.rand_like(again), batch)
    assert perfect["returned_ssim"].nanmean().item() == pytest.approx(1, abs=1e-4)
    assert abs(noise["returned_ssim"].nanmean().item()) < 0.05
    assert perfect["returned_error"].nanmean() < 1e-10
    # Black and white frames may be generated exactly; their mean stays finite.
    exact = batch._replace(frames=torch.ones_like(batch.frames))
    assert set(measured(exact.frames, exact)["returned_psnr"][:, FIRST:].flatten().tolist()) == {
        100.0
    }
    assert noise["returned_error"].nanmean().item() == pytest.approx(1 / 6, rel=0.05)


@pytest.mark.parametrize("rows", [[0, 2], [1, 3], [3, 0, 2]])
def test_all_sequences_count_however_devices_share_them(
    batch: FrameSequences, rows: list[int]
) -> None:
    """Devices deal sequences out in turn, so that neighbours are never in the same batch."""
    generated = torch.rand_like(batch.frames)
    part = FrameSequences(*(field[rows] for field in batch))
    found = measured(generated[rows], part)
    assert not found["returned_error_other"][:, FIRST:].isnan().any()
    whole = measured(generated, batch)["returned_error"]
    torch.testing.assert_close(found["returned_error"], whole[rows], equal_nan=True)


def test_steps_that_return_to_nothing_count_nowhere(batch: FrameSequences) -> None:
    new = batch._replace(recalled_from=torch.full_like(batch.recalled_from, -1))
    for values in measured(torch.rand_like(batch.frames), new).values():
        assert values.isnan().all()


def test_a_sequence_alone_has_no_other_room(batch: FrameSequences) -> None:
    alone = FrameSequences(*(field[:1] for field in batch))
    found = measured(torch.rand_like(alone.frames), alone)
    assert found["returned_error_other"].isnan().all()
    assert not found["returned_error"][:, FIRST:].isnan().any()
