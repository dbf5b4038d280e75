"""Dynamic 2D image completion: the content of batches, in both regimes and protocols."""

from dataclasses import replace
from functools import cache
from math import nan

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from datamodules import (
    BenchmarkDataModule,
    FunctionSequences,
    MovingDigits,
    MovingFaces,
    RenderedFaces,
)
from datamodules.loading.episodes import fingerprint
from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.points.canvas.bouncing import Bouncing
from datamodules.points.canvas.canvas import canvas_images, place
from datamodules.sources import SPLITS, Split, load_images
from tests.datamodules.benchmarks import benchmarks
from tests.datamodules.epochs import sequences

SMALL = {"num_workers": 0, "train_size": 12, "val_size": 4, "test_size": 4, "eval_batch_size": 4}
SHORT = {"sequence_length": 6, "context_steps": 4}
#: Benchmarks whose points are pixels; test_patches.py tests the others.
BENCHMARKS = [kind for kind in benchmarks(MovingPictures) if kind is not RenderedFaces]
REGIMES = ["sparse", "transfer"]
VAL_SHA256 = {
    "sparse": "925a6226b4b8462cd28f0a458b1a49992fa143c711ff5728802c841ccf581e58",
    "transfer": "e669fa6dbeb08caa44b8bf7ccdb5e3b626918e54aa76e4f3872a57bc3c98bba4",
}


def make(kind: type[MovingPictures] = MovingDigits, **settings) -> MovingPictures:
    data = kind(**{"source": kind.images_of.embedded_name, **SMALL, **settings})
    data.prepare_data()
    data.setup()
    return data


@cache
def plain(kind: type[MovingPictures], regime: str) -> MovingPictures:
    return make(kind, regime=regime)


def equal(one: FunctionSequences, other: FunctionSequences) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def canvases(data: MovingPictures, split: Split, episodes: list[int]) -> torch.Tensor:
    """All pixels of all steps, [B, T, C, 42, 42] in [0, 1], whatever the split's targets are."""
    dataset, known = data.dataset(split), data.dataset(split).recipe
    dataset.recipe = replace(known, points=replace(known.points, everything=True))
    images = canvas_images(dataset.__getitems__(episodes).target_y)
    dataset.recipe = known
    return images


def pixels(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of each place of a canvas of 42 x 42."""
    return tuple(((x + 1) / 2 * 41).round().long().unbind(-1))


@pytest.mark.parametrize("kind", BENCHMARKS)
@pytest.mark.parametrize(
    ("regime", "steps", "contexts", "targets"), [("sparse", 50, 30, 51), ("transfer", 20, 500, 501)]
)
def test_batches_have_the_promised_form(kind, regime, steps, contexts, targets) -> None:
    data, channels = plain(kind, regime), kind.y_size
    assert (data.sequence_length, data.test_length) == (steps, steps)
    assert (data.x_size, data.y_size, data.canvas_shape) == (2, channels, (channels, 42, 42))
    for size, points, loader in (
        (data.hparams["batch_size"], targets, data.train_dataloader()),
        (4, 42 * 42, data.test_dataloader()),
    ):
        batch = next(iter(loader))
        shapes = {name: tuple(field.shape) for name, field in batch._asdict().items()}
        assert shapes == {
            "context_x": (size, steps, contexts, 2),
            "context_y": (size, steps, contexts, channels),
            "context_mask": (size, steps, contexts),
            "target_x": (size, steps, points, 2),
            "target_y": (size, steps, points, channels),
            "target_mask": (size, steps, points),
            "target_seen": (size, steps, points),
            "task": (size, steps, 2),
            "episode": (size,),
        }
        assert {field.dtype for field in batch[:-1]} == {torch.bool, torch.float32}
        for y in (batch.context_y, batch.target_y):
            assert -0.5 <= y.min() < -0.4 and y.max() == 0.5
        for x in (batch.context_x, batch.target_x):
            assert x.min() == -1 and x.max() == 1


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_a_picture_of_the_split_lies_whole_on_white(kind: type[MovingPictures]) -> None:
    """Cut out at its centre, it is one of the split's images, the same in all steps."""
    data, size = plain(kind, "sparse"), kind.picture_size
    for split in ("train", "test"):
        dataset = data.dataset(split)
        batch, drawn = dataset.__getitems__([0, 1, 2]), canvases(data, split, [0, 1, 2])
        drawn = (drawn * 255).round().byte().movedim(2, -1).numpy()
        known = {image.tobytes() for image in dataset.pictures}
        corners = (batch.task.double() + 1) / 2 * 41 - (size - 1) / 2
        assert torch.allclose(corners, corners.round(), atol=1e-5), "whole pixels"
        assert corners.min() > -1e-5 and corners.max() < 42 - size + 1e-5
        for images, places in zip(drawn, corners.round().long().tolist(), strict=True):
            found = set()
            for image, (top, left) in zip(images.copy(), places, strict=True):
                patch = image[top : top + size, left : left + size]
                found.add(patch.tobytes())
                patch[:] = 255
                assert (image == 255).all()
            assert len(found) == 1 and found <= known


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_the_canvas_is_black_where_it_is_said(kind: type[MovingPictures]) -> None:
    data = make(kind, regime="transfer", canvas="black", **SHORT)
    (image, *_), size = canvases(data, "test", [1])[0], kind.picture_size
    corner = (data.dataset("test")[1].task[0].double() + 1) / 2 * 41 - (size - 1) / 2
    top, left = corner.round().long().tolist()
    picture = image[:, top : top + size, left : left + size].clone()
    image[:, top : top + size, left : left + size] = 0
    assert (image == 0).all() and picture.max() > 0.5
    with pytest.raises(ValueError, match="canvas must be one of white, black, got grey"):
        kind(canvas="grey")


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_a_picture_is_at_the_whole_pixels_nearest_to_its_path(kind: type[MovingPictures]) -> None:
    dataset, size = plain(kind, "sparse").dataset("train"), kind.picture_size
    centres = (dataset.__getitems__(range(12)).task.double() + 1) / 2 * 41
    corners = (centres - (size - 1) / 2).round()
    assert set(corners.flatten().tolist()) == set(range(42 - size + 1)), "from wall to wall"
    for episode, drawn in enumerate(corners.numpy()):
        rng = dataset.rng(episode)
        rng.integers(len(dataset.pictures))
        path = dataset.recipe.motion.path(rng, 50)
        assert dataset.recipe.motion == Bouncing(42 - size, 3.0, 0.1)
        assert np.abs(path - drawn).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("kind", BENCHMARKS)
@pytest.mark.parametrize("regime", REGIMES)
def test_points_show_what_is_on_the_canvas(kind: type[MovingPictures], regime: str) -> None:
    data = plain(kind, regime)
    batch = data.dataset("train").__getitems__([3, 1])
    images = canvases(data, "train", [3, 1]).movedim(2, -1)
    for which in ("context", "target"):
        x, y = getattr(batch, f"{which}_x"), getattr(batch, f"{which}_y")
        mask = getattr(batch, f"{which}_mask")
        rows, columns = pixels(x)
        b, t = torch.arange(2).view(-1, 1, 1), torch.arange(mask.shape[1]).view(-1, 1)
        assert torch.allclose(images[b, t, rows, columns][mask], y[mask] + 0.5, atol=1e-6)
        assert torch.allclose(place(rows, 42)[mask], x[..., 0][mask])
        assert (x[~mask] == 0).all() and (y[~mask] == 0).all()
        numbers = (rows * 42 + columns).flatten(0, 1)
        for points, real in zip(numbers, mask.flatten(0, 1), strict=True):
            assert len(set(points[real].tolist())) == real.sum()


@pytest.mark.parametrize("regime", REGIMES)
def test_training_targets_are_the_context_and_then_others(regime: str) -> None:
    batch = plain(MovingDigits, regime).dataset("train").__getitems__(range(4))
    most = batch.context_mask.shape[-1]
    for mask in (batch.context_mask, batch.target_mask, batch.target_seen):
        assert (mask[..., 1:] <= mask[..., :-1]).all(), "what is real comes first"
    assert torch.equal(batch.target_seen[..., :most], batch.context_mask)
    assert not batch.target_seen[..., most:].any()
    assert (batch.target_mask.sum(-1) > batch.target_seen.sum(-1)).all(), "one extra at least"
    real = batch.context_mask.unsqueeze(-1)
    assert torch.equal(batch.context_y, batch.target_y[:, :, :most] * real)


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_test_targets_are_all_pixels_and_those_seen_are_marked(kind: type[MovingPictures]) -> None:
    batch = plain(kind, "transfer").dataset("test").__getitems__([1, 0])
    assert batch.target_mask.all()
    rows, columns = pixels(batch.target_x)
    assert (rows * 42 + columns == torch.arange(42 * 42)).all()
    assert torch.equal(batch.target_seen.sum(-1), batch.context_mask.sum(-1))
    rows, columns = pixels(batch.context_x)
    seen = batch.target_seen.gather(2, rows * 42 + columns)
    assert seen[batch.context_mask].all()


@pytest.mark.parametrize(("protocol", "upper"), [("strict", 0), ("paper", 1)])
def test_sizes_are_those_of_the_regimes(protocol: str, upper: int) -> None:
    """No interval reaches its upper end in the paper protocol."""
    rng = np.random.default_rng(0)
    draws = {}
    for regime in REGIMES:
        sets = MovingFaces(regime=regime, protocol=protocol).point_recipe("train").sets
        draws[regime] = np.stack([sets.sizes(rng) for _ in range(500)], axis=1)
    n, m = draws["sparse"]
    assert n.shape == (500, 50) and set(n.ravel()) == {0, 30} and ((n == 30).sum(1) == 45).all()
    assert (n[:, 0] == 0).any() and (n[:, -1] == 0).any(), "any step can be empty"
    assert set(m[n == 30]) == set(range(1, 22 - upper))
    assert set(m[n == 0]) == set(range(1, 52 - upper))
    n, m = draws["transfer"]
    assert n.shape == (500, 20) and (n[:, 10:] == 0).all()
    assert set(n[:, :10].ravel()) == set(range(5, 501 - upper))
    assert m.min() == 1 and (m + n).max() == 501 - upper and m[:, 10:].max() == 501 - upper


def test_each_sequence_has_its_own_points_but_in_the_paper_protocol() -> None:
    for protocol, own in (("strict", 8), ("paper", 1)):
        data = make(regime="transfer", protocol=protocol)
        loader = data.train_dataloader()
        (first,) = loader
        loader.sampler.start = lambda: 8
        (last,) = loader
        for field in ("context_mask", "target_mask"):
            sizes = [tuple(row) for row in getattr(first, field).sum(-1).tolist()]
            assert len(set(sizes)) == own
            assert sizes[0] != tuple(getattr(last, field)[0].sum(-1).tolist())
        assert len({tuple(row.flatten().tolist()) for row in first.context_x[:, 0, :5]}) == own
        assert len({tuple(row.flatten().tolist()) for row in first.context_y}) == 8
    test = next(iter(data.test_dataloader()))
    assert test.target_mask.shape == (4, 20, 1764) and test.target_mask.all()
    assert (test.context_mask == test.context_mask[0]).all()
    assert (test.context_x == test.context_x[0]).all()


def test_longer_test_sequences_keep_the_regime() -> None:
    for regime, expected in (("sparse", 9), ("transfer", 4)):
        data = make(regime=regime, **SHORT, test_length=14)
        test = data.dataset("test")[0]
        assert test.task.shape == (data.test_length, 2) == (14, 2)
        assert test.context_mask.any(-1).sum() == expected
        assert data.dataset("train")[0].context_mask.any(-1).sum() == 4


@pytest.mark.parametrize("settings", [{"num_workers": 2}, {"batch_size": 5}, {"batch_size": 1}])
def test_workers_and_batch_sizes_change_nothing(settings: dict) -> None:
    data, reference = (make(**SHORT, **each) for each in (settings, {}))
    for epoch in (0, 3):
        one, other = (sequences(each.train_dataloader(), epoch) for each in (data, reference))
        assert equal(one, other)
    small = make(**SHORT, eval_batch_size=3)
    assert equal(*(sequences(each.val_dataloader()) for each in (small, reference)))


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_single_items_are_the_rows_of_a_batch(kind: type[MovingPictures]) -> None:
    dataset = plain(kind, "transfer").dataset("train")
    batch = dataset.__getitems__([4, 0, 25])
    for row, episode in enumerate((4, 0, 25)):
        assert equal(dataset[episode], FunctionSequences(*(field[row] for field in batch)))


def test_epochs_splits_and_seeds_differ() -> None:
    settings = {**SHORT, "train_size": 4}
    data, other = make(**settings), make(**settings, seed=1)
    sets = [
        sequences(data.train_dataloader(), 0),
        sequences(data.train_dataloader(), 1),
        sequences(data.val_dataloader()),
        sequences(data.test_dataloader()),
        sequences(other.train_dataloader()),
    ]
    for name in ("task", "context_y", "context_x"):
        rows = {tuple(row.flatten().tolist()) for batch in sets for row in getattr(batch, name)}
        assert len(rows) == 20


def test_point_sets_and_motion_are_drawn_apart() -> None:
    """Canvases do not depend on the sizes of the sets, nor places of points on the motion."""
    usual, few = make(**SHORT), make(**SHORT, contexts=(1, 9))
    assert torch.equal(*(canvases(data, "test", [0, 1]) for data in (usual, few)))
    still = make(**SHORT, speed=0)
    assert torch.equal(usual.dataset("test")[0].context_x, still.dataset("test")[0].context_x)
    images = canvases(still, "test", [0, 1])
    assert torch.equal(images, images[:, :1].expand_as(images))


@pytest.mark.parametrize("kind", BENCHMARKS)
def test_splits_share_no_picture(kind: type[MovingPictures]) -> None:
    data = plain(kind, "sparse")
    pictures = [{picture.tobytes() for picture in data.dataset(split).pictures} for split in SPLITS]
    source = [
        load_images(data.hparams["source"], "data", split, data.images_of) for split in SPLITS
    ]
    assert [len(each) for each in pictures] == [len(images.labels) for images in source]
    assert len(set.union(*pictures)) == sum(len(images.labels) for images in source)


@pytest.mark.parametrize("regime", REGIMES)
def test_the_generator_has_not_changed_silently(regime: str) -> None:
    """Published numbers no longer compare if this fails on purpose: say so in the change log."""
    assert fingerprint(plain(MovingDigits, regime).dataset("val")) == VAL_SHA256[regime]


def test_the_record_names_the_source_and_pins_the_test_set() -> None:
    record = make(**SHORT).data_record()
    assert record["source"] == "mnist5k" and len(record["sha256"]) == 64
    assert record == make(**SHORT, batch_size=3, eval_batch_size=2).data_record()
    other = make(**SHORT, seed=1).data_record()
    assert record["sha256"] == other["sha256"] and record["test_sha256"] != other["test_sha256"]
    faces = plain(MovingFaces, "sparse").source_record()
    assert faces["source"] == "faces" and faces["sha256"] != record["sha256"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "mnist"}, "source must be one of auto, celeba, faces, got mnist"),
        ({"canvas_size": 32}, "canvas_size must be at least 33, got 32"),
        ({"speed": -1.0}, "speed must be at least 0, got -1.0"),
        ({"speed": nan}, "speed must be at least 0, got nan"),
        ({"velocity_noise": -0.1}, "velocity_noise must be at least 0, got -0.1"),
        ({"most_points": 30}, "most_points must be at least 31, got 30"),
        ({"most_points": 1765}, "most_points must be at most 1764, got 1765"),
        ({"context_steps": 51}, "context_steps must be at most 50, got 51"),
        (
            {"contexts": (0, 2)},
            "contexts must be an interval that starts at 1 or above, its lower end first, "
            "got (0, 2)",
        ),
        ({"regime": "dense"}, "regime must be one of sparse, transfer, got dense"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        MovingFaces(**settings)
    assert str(error.value) == message


def test_the_command_line_knows_the_settings() -> None:
    parser = ArgumentParser()
    parser.add_subclass_arguments(BenchmarkDataModule, "data")
    chosen = ["--data=MovingFaces", "--data.regime=transfer", "--data.source=faces"]
    chosen += ["--data.canvas_size=50", "--data.contexts=[2, 9]", "--data.seed=3"]
    data = parser.instantiate(parser.parse_args(chosen)).data
    assert isinstance(data, MovingFaces) and data.canvas_shape == (3, 50, 50)
    known = {name: data.hparams[name] for name in ("seed", "batch_size", "val_size", "test_size")}
    assert known == {"seed": 3, "batch_size": 4, "val_size": 32, "test_size": 512}
    assert data.recipe("train").motion.room == 18
    assert data.point_recipe("train").sets.contexts == (2, 9)
    assert data.sequence_length == 20 and data.hparams["eval_batch_size"] == 8
