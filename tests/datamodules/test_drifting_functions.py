"""Dynamic 1D regression: what batches hold, in both regimes and both protocols."""

from math import nan

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from datamodules import BenchmarkDataModule, DriftingFunctions, FunctionSequences
from datamodules.loading.episodes import fingerprint
from datamodules.points.gaussian_process.draws import grid, grid_index
from datamodules.points.gaussian_process.kernel_drift import FLOOR
from tests.datamodules.epochs import sequences

SMALL = {
    "num_workers": 0,
    "train_size": 24,
    "val_size": 10,
    "test_size": 10,
    "test_points": 60,
    "batch_size": 6,
}
REGIMES = ["sparse", "transfer"]
VAL_SHA256 = {
    "sparse": "4b19cedaa22665e66822065a0b15dad63287ec2603a22df9bf613793a021c85f",
    "transfer": "73bddada05a6fa989863ef4966465744939a88dca17fbe44f88d6c98185e3336",
}
#: Values at every 29th place of the last step of the first and the last validation sequence.
VAL_VALUES = {
    "sparse": [[3.246738, 2.540179, 0.577780], [0.160012, 0.004024, -0.086248]],
    "transfer": [[5.140723, 3.337264, -1.082886], [-1.338866, -2.824002, -0.912004]],
}


def make(**settings) -> DriftingFunctions:
    data = DriftingFunctions(**{**SMALL, **settings})
    data.setup()
    return data


def equal(one: FunctionSequences, other: FunctionSequences) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("regime", "steps", "contexts", "targets"), [("sparse", 50, 1, 11), ("transfer", 20, 50, 51)]
)
def test_batches_have_the_promised_form(regime, steps, contexts, targets) -> None:
    data = make(regime=regime)
    assert (data.sequence_length, data.x_size, data.y_size) == (steps, 1, 1)
    assert data.canvas_shape is None
    for size, points, loader in (
        (6, targets, data.train_dataloader()),
        (10, 60, data.val_dataloader()),
    ):
        batch = next(iter(loader))
        shapes = {name: tuple(field.shape) for name, field in batch._asdict().items()}
        assert shapes == {
            "context_x": (size, steps, contexts, 1),
            "context_y": (size, steps, contexts, 1),
            "context_mask": (size, steps, contexts),
            "target_x": (size, steps, points, 1),
            "target_y": (size, steps, points, 1),
            "target_mask": (size, steps, points),
            "target_seen": (size, steps, points),
            "task": (size, steps, 2),
            "episode": (size,),
        }
        masks = {name for name, field in batch._asdict().items() if field.dtype == torch.bool}
        assert masks == {"context_mask", "target_mask", "target_seen"}
        assert {field.dtype for field in batch[:-1]} == {torch.bool, torch.float32}


@pytest.mark.parametrize("regime", REGIMES)
def test_training_targets_are_the_context_and_then_others(regime: str) -> None:
    batch = next(iter(make(regime=regime).train_dataloader()))
    most = batch.context_mask.shape[-1]
    for places in (batch.context_mask, batch.target_mask, batch.target_seen):
        assert (places[..., 1:] <= places[..., :-1]).all(), "what is real comes first"
    assert torch.equal(batch.target_seen[..., :most], batch.context_mask)
    assert not batch.target_seen[..., most:].any()
    assert (batch.target_mask.sum(-1) > batch.target_seen.sum(-1)).all(), "one extra at least"
    for name in ("x", "y"):
        context, target = getattr(batch, f"context_{name}"), getattr(batch, f"target_{name}")
        real = batch.context_mask.unsqueeze(-1)
        assert torch.equal(context, target[:, :, :most] * real)
        assert (target[~batch.target_mask] == 0).all() and (context[~batch.context_mask] == 0).all()
    index = grid_index(batch.target_x[..., 0], 100)
    assert torch.equal(grid(100)[index][batch.target_mask], batch.target_x[batch.target_mask][:, 0])
    for places, real in zip(index.flatten(0, 1), batch.target_mask.flatten(0, 1), strict=True):
        assert len(set(places[real].tolist())) == real.sum()


@pytest.mark.parametrize("regime", REGIMES)
def test_test_targets_are_the_whole_grid_and_those_seen_are_marked(regime: str) -> None:
    data = make(regime=regime)
    batch = next(iter(data.test_dataloader()))
    assert batch.target_mask.all()
    assert torch.equal(batch.target_x[..., 0], grid(60).expand_as(batch.target_x[..., 0]))
    assert torch.equal(batch.target_seen.sum(-1), batch.context_mask.sum(-1))
    index = grid_index(batch.context_x[..., 0], 60)
    found = batch.target_y[..., 0].gather(2, index)
    real = batch.context_mask
    assert torch.equal(found[real], batch.context_y[..., 0][real])
    assert batch.target_seen.gather(2, index)[real].all()


def test_steps_have_contexts_as_the_regimes_say() -> None:
    sparse = sequences(make().train_dataloader()).context_mask.sum(-1)
    assert (sparse.sum(1) == 45).all() and sparse.max() == 1
    assert (sparse[:, 0] == 0).any(), "an empty context at the first step"
    assert len({tuple(row.tolist()) for row in sparse}) == 24
    transfer = sequences(make(regime="transfer").train_dataloader()).context_mask.sum(-1)
    assert (transfer[:, :10] >= 5).all() and (transfer[:, 10:] == 0).all()
    assert transfer.max() == 50 and (transfer[:, 0] != transfer[0, 0]).any()


@pytest.mark.parametrize(
    ("regime", "l", "s"),
    [("sparse", (0.7, 1.2), (1.0, 1.6)), ("transfer", (1.2, 1.9), (1.6, 3.1))],
)
def test_tasks_start_in_the_regimes_ranges(regime: str, l: tuple, s: tuple) -> None:  # noqa: E741
    task = sequences(make(regime=regime, train_size=200).train_dataloader()).task
    for which, (low, high) in enumerate((l, s)):
        start = task[:, 0, which]
        assert low <= start.min() < low + 0.05 * (high - low)
        assert high >= start.max() > high - 0.05 * (high - low)
    assert task.min() >= FLOOR


def test_functions_of_the_test_set_have_the_variance_of_their_task() -> None:
    batch = sequences(make(regime="transfer", test_size=400, test_points=51).test_dataloader())
    z = batch.target_y[..., 0] / (batch.task[..., 1:].square() + 0.02**2).sqrt()
    # The middle of the grid, where a whole correlation length is on both sides.
    assert z[:, [0, 19], 25].var() == pytest.approx(1, abs=0.2)
    assert z.mean() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("regime", REGIMES)
def test_functions_move_smoothly(regime: str) -> None:
    y = sequences(make(regime=regime, test_size=40).test_dataloader()).target_y[..., 0]
    per_step = y.diff(dim=1).square().mean().sqrt() / y.square().mean().sqrt()
    assert 0.01 < per_step < 0.2
    over_all = (y[:, -1] - y[:, 0]).square().mean().sqrt() / y.square().mean().sqrt()
    assert over_all > 3 * per_step, "they do move"
    between = (y[1:, 0] - y[:-1, 0]).square().mean().sqrt() / y[:, 0].square().mean().sqrt()
    assert 1.1 < between < 1.8, "other sequences are other functions"


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_workers_change_nothing(protocol: str) -> None:
    alone, workers = (make(protocol=protocol, num_workers=n, train_size=12) for n in (0, 2))
    for epoch in (0, 3):
        one, other = (sequences(data.train_dataloader(), epoch) for data in (alone, workers))
        assert equal(one, other)


@pytest.mark.parametrize("settings", [{"batch_size": 7}, {"batch_size": 1}, {"eval_batch_size": 3}])
def test_batch_sizes_change_nothing(settings: dict) -> None:
    data, reference = make(**settings), make()
    for loader in ("train_dataloader", "val_dataloader"):
        assert equal(*(sequences(getattr(each, loader)()) for each in (data, reference)))


def test_single_items_are_the_rows_of_a_batch_kept_or_not() -> None:
    data, fresh = make().dataset("test"), make().dataset("test")
    batch = data.__getitems__([4, 0, 9])
    for row, episode in enumerate((4, 0, 9)):
        expected = FunctionSequences(*(field[row] for field in batch))
        assert equal(data[episode], expected) and equal(fresh[episode], expected)


def test_epochs_splits_and_seeds_differ() -> None:
    settings = {"train_size": 10, "test_points": 100}
    data, other = make(**settings), make(**settings, seed=1)
    sets = [
        sequences(data.train_dataloader(), 0),
        sequences(data.train_dataloader(), 1),
        sequences(data.val_dataloader()),
        sequences(data.test_dataloader()),
        sequences(other.train_dataloader()),
    ]
    for rows in (
        {tuple(row.flatten().tolist()) for batch in sets for row in getattr(batch, name)}
        for name in ("task", "context_y", "context_x")
    ):
        assert len(rows) == 50


def test_point_sets_and_functions_are_drawn_apart() -> None:
    """Functions do not depend on the sizes of the sets, nor places of points on the functions."""
    plain, wide = make(regime="transfer"), make(regime="transfer", contexts=(1, 9))
    one, other = (sequences(data.test_dataloader()) for data in (plain, wide))
    assert torch.equal(one.target_y, other.target_y)
    assert not torch.equal(one.context_mask.sum(-1), other.context_mask.sum(-1))
    slow = sequences(make(regime="transfer", velocities=(0.0, 0.0)).test_dataloader())
    assert torch.equal(one.context_x, slow.context_x)
    assert (slow.task == slow.task[:, :1]).all() and (slow.target_y == slow.target_y[:, :1]).all()


@pytest.mark.parametrize("regime", REGIMES)
def test_the_generator_has_not_changed_silently(regime: str) -> None:
    """Published numbers no longer compare if this fails on purpose: say so in the change log."""
    known = make(regime=regime, val_size=8).dataset("val")
    assert fingerprint(known) == VAL_SHA256[regime]
    values = known.__getitems__([0, 7]).target_y[:, -1, ::29, 0]
    # Processors differ by rounding, which the fingerprint leaves out.
    assert values.numpy() == pytest.approx(np.array(VAL_VALUES[regime]), abs=1e-4)


def test_the_fingerprint_sees_all_that_functions_are_made_of() -> None:
    def found(**settings) -> str:
        return fingerprint(
            make(**{"regime": "transfer", "test_size": 3} | settings).dataset("test")
        )

    settings = [
        {},
        {"seed": 1},
        {"test_points": 70},
        {"velocities": (0.02, 0.05)},
        {"scale": (1.0, 1.1)},
        {"contexts": (6, 50)},
        {"context_steps": 9},
        {"test_length": 21},
    ]
    assert len({found(**s) for s in settings}) == len(settings)


def test_the_record_pins_the_test_set_and_says_who_touches_the_floor() -> None:
    record = make(test_size=200, test_points=11).data_record()
    assert record["source"] == "generated" and len(record["test_sha256"]) == 64
    assert float(record["reflected"]) == pytest.approx(0.41, abs=0.1)
    assert make(regime="transfer").data_record()["reflected"] == "0.000"
    small, batches, other = make(), make(batch_size=3, eval_batch_size=4), make(seed=1)
    assert small.data_record() == batches.data_record()
    assert small.data_record()["test_sha256"] != other.data_record()["test_sha256"]


def test_paper_batches_share_sizes_and_places_and_not_functions() -> None:
    data = make(regime="transfer", protocol="paper")
    batches = list(data.train_dataloader())
    sizes = [(batch.context_mask.sum(-1), batch.target_mask.sum(-1)) for batch in batches]
    assert all((size == size[0]).all() for pair in sizes for size in pair)
    assert len({tuple(contexts[0].tolist()) for contexts, _ in sizes}) == 4
    for batch in batches:
        assert (batch.context_x == batch.context_x[0]).all()
        assert (batch.target_x == batch.target_x[0]).all()
        assert len({tuple(values.flatten().tolist()) for values in batch.target_y}) == 6
    assert len({tuple(batch.context_x[0].flatten().tolist()) for batch in batches}) == 4
    assert max(contexts.max() for contexts, _ in sizes) < 50
    test = next(iter(data.test_dataloader()))
    assert (test.context_mask == test.context_mask[0]).all()
    assert (test.context_x == test.context_x[0]).all() and (test.context_x[0] != 0).any()


@pytest.mark.parametrize(("protocol", "transfer"), [("strict", 27.5), ("paper", 27)])
def test_few_of_the_test_targets_are_contexts(protocol: str, transfer: float) -> None:
    """0.25 and 7% of all 400 points; of targets drawn as in training they are the most."""
    settings = {"test_points": 400, "test_size": 16, "eval_batch_size": 16, "protocol": protocol}
    for regime, mean in (("sparse", 1), ("transfer", transfer)):
        for split in ("val", "test"):
            dataset = make(**settings, regime=regime).dataset(split)
            batch = dataset.__getitems__(range(4))
            assert batch.target_mask.all() and batch.target_mask.shape[-1] == 400
            seen, context = batch.target_seen, batch.context_mask
            assert torch.equal(seen.sum(-1), context.sum(-1))
            rng = np.random.default_rng(0)
            sizes = np.stack([dataset.recipe.points.sets.sizes(rng)[0] for _ in range(2_000)])
            assert sizes[sizes > 0].mean() == pytest.approx(mean, abs=0.3 if mean > 1 else 0)


def test_paper_kernels_are_the_other_regimes_and_tied_in_the_test_set() -> None:
    data = make(regime="sparse", protocol="paper", test_size=50)
    for batch, tied in (
        (sequences(data.train_dataloader()), 0),
        (sequences(data.test_dataloader()), 1),
    ):
        start = batch.task[:, 0].double().numpy()
        assert start[:, 0].min() >= 1.2 and start[:, 0].max() <= 1.9
        assert start[:, 1].min() >= 1.6 and start[:, 1].max() <= 3.1
        assert (np.corrcoef(start.T)[0, 1] > 0.999) == tied


@pytest.mark.parametrize("protocol", ["strict", "paper"])
@pytest.mark.parametrize("regime", REGIMES)
def test_kernels_are_the_texts_or_the_codes(protocol: str, regime: str) -> None:
    short, long = ((0.7, 1.2), (1.0, 1.6)), ((1.2, 1.9), (1.6, 3.1))
    text, code = (short, long) if regime == "sparse" else (long, short)
    usual = code if protocol == "paper" else text
    for kernels, (length_scale, scale) in (("text", text), ("code", code), (None, usual)):
        data = DriftingFunctions(regime=regime, protocol=protocol, kernels=kernels)
        drift = data.recipe("train").drift
        assert (drift.length_scale, drift.scale) == (length_scale, scale)
        chosen = DriftingFunctions(regime=regime, kernels=kernels, scale=(2.0, 2.5))
        assert chosen.recipe("test").drift.scale == (2.0, 2.5), "a given range goes first"


def test_longer_test_sequences_keep_the_regime() -> None:
    for regime, expected in (("sparse", 54), ("transfer", 10)):
        data = make(regime=regime, test_length=60)
        test = next(iter(data.test_dataloader())).context_mask.any(-1)
        assert test.shape[1] == data.test_length == 60 and (test.sum(1) == expected).all()
        training = next(iter(data.train_dataloader())).context_mask
        assert training.shape[1] == data.sequence_length < 60


def test_a_batch_of_one_and_of_one_step() -> None:
    data = make(sequence_length=1, context_steps=0, train_size=1, batch_size=1)
    batch = next(iter(data.train_dataloader()))
    assert batch.context_mask.shape == (1, 1, 1) and not batch.context_mask.any()
    assert batch.target_mask.sum() >= 1


@pytest.mark.parametrize("settings", [{}, {"batch_size": 5}])
def test_training_goes_on_after_the_sequences_that_it_had(settings: dict) -> None:
    data = make(**settings)
    everything = sequences(data.train_dataloader())
    size = data.hparams["batch_size"]
    resumed = make(**settings)
    resumed.load_state_dict({"next_episode": size, "batches": 1})
    assert resumed.next_episode() == size
    batch = next(iter(resumed.train_dataloader()))
    assert torch.equal(batch.target_y, everything.target_y[size : 2 * size])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"regime": "dense"}, "regime must be one of sparse, transfer, got dense"),
        ({"protocol": "lax"}, "protocol must be one of strict, paper, got lax"),
        ({"kernels": "paper"}, "kernels must be one of text, code, got paper"),
        ({"drift_noise": "no"}, "drift_noise must be one of multiplicative, additive, got no"),
        ({"sequence_length": 0}, "sequence_length must be at least 1, got 0"),
        ({"test_length": 0}, "test_length must be at least 1, got 0"),
        ({"test_length": -1}, "test_length must be at least 1, got -1"),
        ({"context_steps": -1}, "context_steps must be at least 0, got -1"),
        ({"context_steps": 51}, "context_steps must be at most 50, got 51"),
        ({"most_points": 1}, "most_points must be at least 2, got 1"),
        ({"train_points": 10}, "train_points must be at least 11, got 10"),
        ({"test_points": 10}, "test_points must be at least 11, got 10"),
        ({"most_points": 101}, "most_points must be at most 100, got 101"),
        ({"velocities": (0.1, nan)}, "velocities must be at least 0, got nan"),
        ({"velocities": (0.1, -0.1)}, "velocities must be at least 0, got -0.1"),
        (
            {"scale": (0.05, 1.0)},
            "scale must be an interval that starts at 0.1 or above, its lower end first, "
            "got (0.05, 1.0)",
        ),
        (
            {"contexts": (3, 2)},
            "contexts must be an interval that starts at 1 or above, its lower end first, "
            "got (3, 2)",
        ),
        ({"test_size": 0}, "test_size must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        DriftingFunctions(**settings)
    assert str(error.value) == message


def test_the_command_line_knows_the_settings() -> None:
    parser = ArgumentParser()
    parser.add_subclass_arguments(BenchmarkDataModule, "data")
    chosen = ["--data=DriftingFunctions", "--data.regime=transfer", "--data.seed=3"]
    data = parser.instantiate(parser.parse_args([*chosen, "--data.length_scale=[1, 2]"])).data
    assert isinstance(data, DriftingFunctions)
    assert data.hparams["seed"] == 3 and data.hparams["test_size"] == 512
    assert data.recipe("train").drift.length_scale == (1, 2)
