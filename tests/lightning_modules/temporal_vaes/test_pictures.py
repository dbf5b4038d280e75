"""Sentences below headings, arrays that are drawn, and pictures that are declared."""

import torch

from datamodules import MNISTMaze, SimilarityCuedRecall
from datamodules.maze import MOVES
from lightning_modules import GTMM
from lightning_modules.callbacks.pictures import evaluated, title_of
from lightning_modules.drawings import Contestant, Evaluated
from lightning_modules.metrics import Summary
from lightning_modules.temporal_vaes.pictures import (
    FrameDrawings,
    first_sequences,
    generations_of,
    kl_sentence,
)
from lightning_modules.temporal_vaes.samples import sample


def test_headings_tell_benchmark_model_step_and_kl(model: GTMM) -> None:
    cued = SimilarityCuedRecall(source="mnist5k")
    title = "Similarity-cued recall: GTMM (DNC) after 500 training steps"
    assert title_of(cued, model, 500) == title
    scalars = {"kl_new": torch.tensor(6.125), "kl_recalled": torch.tensor(0.5)}
    shown = Evaluated(title, "mnist5k", "#000000", "test", Summary(scalars, {}, 1))
    kl = "mean KL per step: new 6.12 nats, recalled 0.50 nats"
    assert kl_sentence(shown) == f"Test set, mnist5k; {kl}"
    unmeasured = shown._replace(split="val", summary=None)
    assert kl_sentence(unmeasured) == "Validation set, mnist5k"


def test_each_row_of_generations_has_its_frames(model: GTMM, maze: MNISTMaze) -> None:
    samples = sample(model, first_sequences(maze.dataset("val"), 2), 12, seed=0)
    for i, drawn in enumerate(generations_of(samples, MOVES)):
        assert torch.equal(drawn.truth, samples.batch.frames[i])
        assert torch.equal(drawn.reconstruction, samples.reconstruction[i])
        assert torch.equal(drawn.generated, samples.generated[i])
        assert not torch.equal(drawn.generated, drawn.reconstruction)


def test_arrows_point_where_the_walker_goes(model: GTMM, maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("val"), 2)
    assert maze.action_names == MOVES and maze.grid == 4
    ways = {1: "→", -1: "←", 4: "↓", -4: "↑"}
    for i, drawn in enumerate(generations_of(sample(model, batch, 12, seed=0), MOVES)):
        steps = batch.place[i].diff().tolist()
        assert drawn.moves == ["", *(ways[step] for step in steps)]
    still, _ = generations_of(sample(model, batch, 12, seed=0), ())
    assert still.moves is None


def test_the_film_is_of_the_reconstruction(model: GTMM, maze: MNISTMaze) -> None:
    batch = first_sequences(maze.dataset("test"), 1)
    weightings = sample(model, batch, 12, seed=3).weightings
    arrays = FrameDrawings().film(model, maze, seed=3)
    assert arrays is not None and set(arrays) == {"read", "write", "recalled_from", "frames"}
    assert torch.equal(arrays["read"], weightings.read[0])
    assert torch.equal(arrays["write"], weightings.write[0])
    assert torch.equal(arrays["frames"], batch.frames[0])
    assert torch.equal(arrays["recalled_from"], batch.recalled_from[0])


def test_every_picture_that_is_drawn_is_declared(model: GTMM, maze: MNISTMaze) -> None:
    names = ("kl", "kl_new", "kl_recalled", "recalled_share")
    scalars = {"kl_new": torch.tensor(6.125), "kl_recalled": torch.tensor(0.5)}
    model.validation_summary = Summary(scalars, dict.fromkeys(names, torch.rand(25)), 6)
    drawn = dict(
        FrameDrawings().figures(model, maze, evaluated(maze, model, "val", 1), sequences=1, seed=0)
    )
    declared = {picture.name for picture in FrameDrawings.pictures}
    assert set(drawn) == declared - {"moving_generations"}, "which tests in 3D draw"


def test_models_are_drawn_side_by_side(model: GTMM, maze: MNISTMaze) -> None:
    """What each has generated of the first test sequence, in its row."""
    models = [Contestant("GTMM (DNC)", "#0072b2", model), Contestant("other", "#d55e00", model)]
    drawn = dict(FrameDrawings().side_by_side(models, maze, seed=1))
    assert set(drawn) == {"generated", "visits"}
    samples = sample(model, first_sequences(maze.dataset("test"), 1), maze.prefix_length, seed=1)
    (axes,) = drawn["generated"].axes
    images = [torch.tensor(image.get_array())[..., 0] for image in axes.images]
    assert torch.equal(torch.stack(images[:25]), samples.batch.frames[0, :, 0])
    for row in (1, 2):
        torch.testing.assert_close(
            torch.stack(images[25 * row : 25 * (row + 1)]), samples.generated[0, :, 0]
        )
    assert "GTMM\n(DNC)" in [text.get_text() for text in axes.texts]
