"""Coherence: which generated frames count, against a plain loop, and scores of known memories."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences, MNISTMaze
from datamodules.frames.recall import RecallDataModule
from datamodules.frames.script import recalled_from
from lightning_modules.metrics.coherence import coherence_measurements
from tests.datamodules.benchmarks import benchmarks

T, PREFIX = 25, 12


def maze(sequences: int, seed: int = 0) -> FrameSequences:
    """Walks through mazes, whose frames are never looked at."""
    data = MNISTMaze(source="mnist5k", num_workers=0, test_size=sequences, seed=seed)
    data.setup()
    return data.dataset("test").__getitems__(range(sequences))


def measured(frames: Tensor, batch: FrameSequences, prefix: int = PREFIX) -> dict[str, Tensor]:
    """Both errors, NaN where they are not defined."""
    priorities = torch.randn(*batch.place.shape, batch.place.shape[1])
    found = coherence_measurements(frames.logit(), batch, prefix, priorities)
    return {name: m.values.masked_fill(~m.where, torch.nan).double() for name, m in found.items()}


def mean(values: Tensor) -> float:
    return values.nanmean().item()


@pytest.fixture(scope="module")
def batch() -> FrameSequences:
    return maze(300)


def by_hand(frames: Tensor, place: list[int], prefix: int) -> tuple[dict[int, float], set[int]]:
    """Errors against the own first frame by step; steps whose place was made up long before."""
    made_up: dict[int, int] = {}
    last: dict[int, int] = {}
    errors = {}
    for t in range(prefix, len(place)):
        age, last[place[t]] = t - last.get(place[t], t), t
        if place[t] in place[:prefix] or 0 < age < 5:
            continue
        if place[t] in made_up:
            earlier = frames[made_up[place[t]]]
            pixels = [(a - b) ** 2 for a, b in zip(frames[t], earlier, strict=True)]
            errors[t] = sum(pixels) / len(pixels)
        else:
            made_up[place[t]] = t
    return errors, set(errors)


@pytest.mark.parametrize("prefix", [0, 5, PREFIX, 24])
def test_it_is_what_a_plain_loop_finds(batch: FrameSequences, prefix: int) -> None:
    torch.manual_seed(1)
    frames = torch.rand(300, T, 1, 2, 3, dtype=torch.float64)
    found = measured(frames, batch, prefix)
    counted = 0
    for row, place in enumerate(batch.place.tolist()):
        errors, steps = by_hand(frames[row].flatten(1).tolist(), place, prefix)
        error, other = (found[name][row] for name in ("coherence_error", "coherence_error_other"))
        assert set((~error.isnan()).nonzero()[:, 0].tolist()) == steps
        assert torch.equal(error.isnan(), other.isnan()), "a walker was elsewhere in between"
        for t in steps:
            assert error[t].item() == pytest.approx(errors[t])
            possible = [
                (frames[row, t] - frames[row, s]).square().mean().item()
                for s in range(prefix, t)
                if place[s] != place[t]
            ]
            assert any(other[t].item() == pytest.approx(error) for error in possible)
        counted += len(steps)
    assert counted > 50 or prefix == 24 and counted == 0


def test_a_perfect_memory_of_what_it_made_up_has_no_error(batch: FrameSequences) -> None:
    """Its frames have nothing to do with the true ones."""
    torch.manual_seed(2)
    made_up = torch.rand(300, 16, 1, 3, 3)
    frames = made_up[torch.arange(300).unsqueeze(1), batch.place]
    found = measured(frames, batch)
    assert mean(found["coherence_error"]) == 0
    assert mean(found["coherence_error_other"]) == pytest.approx(1 / 6, rel=0.1)


def test_noise_is_as_near_to_other_places(batch: FrameSequences) -> None:
    torch.manual_seed(3)
    found = measured(torch.rand(300, T, 1, 8, 8), batch)
    ratio = mean(found["coherence_error"]) / mean(found["coherence_error_other"])
    assert ratio == pytest.approx(1, abs=0.02)


def test_what_was_given_comes_once_or_was_just_there_does_not_count() -> None:
    place = np.array([[0, 1, 0, 2, 3, 2, 4, 5, 1, 6, 2, 3, 2]])
    fields = {"place": place, "recalled_from": recalled_from(place)}
    batch = maze(1)._replace(**{name: torch.from_numpy(value) for name, value in fields.items()})
    frames = torch.linspace(0.1, 0.7, 13).view(1, 13, 1, 1, 1)
    found = measured(frames, batch, prefix=3)["coherence_error"][0]
    assert (~found.isnan()).nonzero()[:, 0].tolist() == [10, 11]
    # Against the first frame, not the last one: steps 3 and 4; frames are 0.05 apart.
    assert found[[10, 11]].tolist() == pytest.approx([0.35**2, 0.35**2])


@pytest.mark.parametrize("task", benchmarks(RecallDataModule))
def test_tasks_that_repeat_given_frames_have_none(
    task: type[RecallDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamodules.sources.glyphs.DRAWERS", 1)
    data = task(source=task.images_of.embedded_name, num_workers=0)
    data.setup()
    batch = data.dataset("test").__getitems__(range(20))
    found = measured(torch.rand(20, batch.place.shape[1], 1, 2, 2), batch, data.prefix_length)
    assert all(values.isnan().all() for values in found.values())
