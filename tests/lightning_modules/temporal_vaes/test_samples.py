"""Rows of samples: what the model is shown in each, and that sampling leaves no trace."""

from functools import partial

import torch

from datamodules import MNISTMaze
from lightning_modules import GTMM, VRNN, CompactNetworks
from lightning_modules.evaluation_mode import evaluating
from lightning_modules.temporal_vaes.pictures import first_sequences
from lightning_modules.temporal_vaes.samples import sample

PREFIX = 12
SMALL = partial(CompactNetworks, hidden_size=16)


def test_the_prefix_is_reconstructed_and_the_rest_generated(model: GTMM, maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("val"), 2)
    samples = sample(model, batch, PREFIX, seed=0)
    assert torch.equal(samples.batch.frames, batch.frames)
    torch.testing.assert_close(
        samples.generated[:, :PREFIX], samples.reconstruction[:, :PREFIX], rtol=0, atol=1e-6
    )
    for t in range(PREFIX, 25):
        assert not torch.allclose(samples.generated[:, t], samples.reconstruction[:, t])


def test_generation_sees_the_prefix_and_nothing_after_it(model: GTMM, maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("val"), 2)
    frames = batch.frames.clone()
    frames[:, PREFIX:] = 1 - frames[:, PREFIX:]
    shown, changed = (
        sample(model, b, PREFIX, seed=0) for b in (batch, batch._replace(frames=frames))
    )
    assert torch.equal(shown.generated, changed.generated)
    assert not torch.equal(shown.reconstruction, changed.reconstruction)
    frames[:, 0] = 1 - frames[:, 0]
    other = sample(model, batch._replace(frames=frames), PREFIX, seed=0)
    assert not torch.equal(shown.generated[:, PREFIX:], other.generated[:, PREFIX:])
    assert torch.equal(shown.imagined, other.imagined), "imagined from the moves alone"


def test_a_baseline_that_sees_its_frames_is_sampled_alike(maze: MNISTMaze) -> None:
    baseline = VRNN(
        sequence_length=25,
        prefix_length=12,
        action_size=5,
        frame_shape=(1, 28, 28),
        visual=SMALL,
        controller_size=8,
    )
    samples = sample(baseline, first_sequences(maze.dataset("val"), 1), 0, seed=0)
    torch.testing.assert_close(samples.generated, samples.imagined, rtol=0, atol=1e-6)
    assert samples.weightings.read.shape[-1] == 0


def test_the_seed_alone_decides(model: GTMM, maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("val"), 1)
    first, again, other = (sample(model, batch, PREFIX, seed) for seed in (0, 0, 1))
    assert torch.equal(first.generated, again.generated)
    assert not torch.equal(first.generated, other.generated)


def test_random_state_modes_and_gradients_are_left_alone(model: GTMM, maze: MNISTMaze) -> None:
    model.train()
    model.visual.eval()
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state()
    samples = sample(model, first_sequences(maze.dataset("val"), 1), PREFIX, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert not samples.generated.requires_grad and torch.is_grad_enabled()
    with evaluating(model):
        assert not any(module.training for module in model.modules())


def test_half_precision_models_are_drawn_too(model: GTMM, maze: MNISTMaze) -> None:
    samples = sample(model.bfloat16(), first_sequences(maze.dataset("val"), 1), PREFIX, seed=0)
    assert {x.dtype for x in (samples.generated, *samples.weightings)} == {torch.float32}


def test_no_more_sequences_than_there_are(maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("val"), 100)
    assert len(batch.frames) == 6
    assert torch.equal(batch.place[5], maze.dataset("val")[5].place)
