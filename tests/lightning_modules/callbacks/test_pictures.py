"""Pictures in real runs: files, sizes, loggers, and training that does not notice them."""

import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import lightning as L
import matplotlib
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from datamodules import (
    DynamicDependency,
    MNISTMaze,
    OneShotRecall,
    ParityRecall,
    PerfectRecall,
    Rotation,
    SequenceDataModule,
    SimilarityCuedRecall,
)
from datamodules.frames.recall import RecallDataModule
from datamodules.sources import glyphs
from lightning_modules import GTMM, VRNN, CompactNetworks, CompactRoomNetworks
from lightning_modules.callbacks.pictures import Pictures, title_of
from lightning_modules.metrics import Summary
from lightning_modules.records.film_file import load_film
from lightning_modules.report.embedding import Embedded
from lightning_modules.temporal_vaes.pictures import FrameDrawings
from lightning_modules.temporal_vaes.visual import VisualNetworks, VisualSizes
from tests.lightning_modules.quiet_runs import names, trainer

SMALL = partial(CompactNetworks, hidden_size=16)
#: Every picture of frames but the film of 3D benchmarks; one of them is of mazes alone, another of
#: memories with slots.
MAZE = {picture.name for picture in FrameDrawings.pictures} - {"moving_generations"}
RECALL_TASK = MAZE - {"visit_overlay"}


class ImageLogger(CSVLogger):
    """Remembers the images that it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.images: list[tuple[str, list[str], int]] = []

    def log_image(self, key: str, images: list[str], step: int) -> None:
        self.images.append((key, images, step))


class SanityChecks(L.Callback):
    """Counts the validations that are sanity checks."""

    seen = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seen += trainer.sanity_checking


def test_a_run_leaves_pictures_and_hands_them_to_loggers(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    logger = ImageLogger(tmp_path / "log")
    trainer(tmp_path, Pictures(tmp_path), max_epochs=2, logger=logger).fit(model, maze)
    assert names(tmp_path) == {
        f"{name}{moment}.png" for name in MAZE for moment in ("", "_step000002", "_step000004")
    }
    for path in tmp_path.glob("pictures/*"):
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 500_000
    latest = tmp_path / "pictures" / "generations.png"
    assert latest.read_bytes() == latest.with_name("generations_step000004.png").read_bytes()
    assert {(key, step) for key, _, step in logger.images} == {
        (f"pictures/{name}", step) for name in MAZE for step in (2, 4)
    }
    assert all(Path(path).is_file() for _, paths, _ in logger.images for path in paths)


def test_the_latest_picture_is_replaced_as_a_whole(
    model: GTMM, maze: MNISTMaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, replace = set(), os.replace

    def noted(source: Path, to: Path) -> None:
        replaced.add(to.name)
        replace(source, to)

    monkeypatch.setattr(os, "replace", noted)
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).validate(model, maze, verbose=False)
    assert replaced == names(tmp_path) and len(replaced) == 2 * len(MAZE)


def test_training_does_not_notice_pictures(model: GTMM, maze: MNISTMaze, tmp_path: Path) -> None:
    start = {name: value.clone() for name, value in model.state_dict().items()}
    results = []
    for callbacks in ([], [Pictures(tmp_path, sequences=1)]):
        model.load_state_dict(start)
        torch.manual_seed(0)
        # Pictures are drawn after the second of three steps.
        trainer(tmp_path, *callbacks, max_epochs=2, max_steps=3).fit(model, maze)
        results.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))
    assert names(tmp_path)


def test_nothing_global_is_touched(model: GTMM, maze: MNISTMaze, tmp_path: Path) -> None:
    settings, random = dict(matplotlib.rcParams), torch.get_rng_state()
    figures = dict(Pictures(tmp_path, sequences=1)._figures(maze, model.train(), "val", 5))
    assert dict(matplotlib.rcParams) == settings
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training and not names(tmp_path)
    assert set(figures) == MAZE - {"kl_curve"}, "no validation has been summarised yet"


RECALL_TASKS = [PerfectRecall, ParityRecall, OneShotRecall, DynamicDependency, SimilarityCuedRecall]


@pytest.fixture(params=RECALL_TASKS, ids=lambda task: task.__name__)
def task(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecallDataModule]:
    """Every recall task, short and with few sequences."""
    monkeypatch.setattr(glyphs, "DRAWERS", 3)
    source = "glyphs" if request.param is OneShotRecall else "mnist5k"
    sizes = {"train_size": 2, "val_size": 2, "test_size": 2, "batch_size": 2}
    yield request.param(pre_recall_length=10, recall_length=3, source=source, **sizes)


def model_for(
    data: SequenceDataModule, visual: Callable[[VisualSizes], VisualNetworks] = SMALL
) -> GTMM:
    return GTMM(
        sequence_length=data.sequence_length,
        prefix_length=data.prefix_length,
        action_size=data.action_size,
        frame_shape=data.frame_shape,
        visual=visual,
        controller_size=8,
        latent_size=4,
    )


def test_recall_tasks_have_all_but_the_overlay(task: RecallDataModule, tmp_path: Path) -> None:
    quick = {"num_sanity_val_steps": 0, "max_steps": 1}
    trainer(tmp_path, Pictures(tmp_path, sequences=1), **quick).fit(model_for(task), task)
    latest = {name for name in names(tmp_path) if "_step" not in name}
    assert latest == {f"{name}.png" for name in RECALL_TASK}


def given_frames(figure: Figure) -> int:
    """Frames left of the line in the first row of the first line."""
    axes = figure.axes[0]
    (x,) = set(axes.lines[0].get_xdata())
    return sum(image.get_extent()[1] < x for image in axes.images) // 3


def test_generation_starts_where_the_benchmark_says(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    cued = SimilarityCuedRecall(pre_recall_length=10, recall_length=3, source="mnist5k")
    cued.setup()
    pictures = Pictures(tmp_path, sequences=1)
    drawn = {
        type(data): dict(pictures._figures(data, network, "val", None))["generations"]
        for data, network in ((maze, model), (cued, model_for(cued)))
    }
    assert given_frames(drawn[MNISTMaze]) == 12
    assert given_frames(drawn[SimilarityCuedRecall]) == 11, "the cue is given"
    moves = [[t.get_text() for t in figure.axes[0].texts] for figure in drawn.values()]
    assert ["move" in texts for texts in moves] == [True, False]


def test_no_pictures_in_a_dry_run_or_a_sanity_check(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    trainer(tmp_path, Pictures(tmp_path), fast_dev_run=True).fit(model, maze)
    checks = SanityChecks()
    trainer(tmp_path, Pictures(tmp_path), checks, check_val_every_n_epoch=2).fit(model, maze)
    assert checks.seen == 1 and not names(tmp_path)


def test_outside_training_no_step_is_claimed(model: GTMM, maze: MNISTMaze, tmp_path: Path) -> None:
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).validate(model, maze, verbose=False)
    assert names(tmp_path) == {f"{name}{end}.png" for name in MAZE for end in ("", "_validate")}
    assert title_of(maze, model, None) == "MNIST maze: GTMM (DNC)"


def test_a_test_draws_the_test_set(model: GTMM, maze: MNISTMaze, tmp_path: Path) -> None:
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).test(model, maze, verbose=False)
    assert names(tmp_path) == {f"{name}_test.png" for name in MAZE}
    figures = {
        split: dict(Pictures(tmp_path, sequences=1)._figures(maze, model, split, None))
        for split in ("val", "test")
    }
    frames = [drawn["generations"].axes[0].images[0].get_array() for drawn in figures.values()]
    assert not np.array_equal(*frames), "another sequence"
    (subtitle,) = (t for t in figures["test"]["memory_film"].texts if t.get_gid() == "subtitle")
    assert subtitle.get_text().startswith("First test sequence, mnist5k")


def test_a_test_in_3d_leaves_a_film(tmp_path: Path) -> None:
    rooms = Rotation(
        sequence_length=4, data_dir=str(tmp_path), train_size=2, val_size=2, test_size=2
    )
    model = model_for(rooms, visual=CompactRoomNetworks)
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).test(model, rooms, verbose=False)
    film = tmp_path / "pictures" / "moving_generations_test.webp"
    with Image.open(film) as picture:
        assert picture.n_frames == 4
    embedded = Embedded(10**6).uri(film)
    assert embedded == f"data:image/webp;base64,{b64encode(film.read_bytes()).decode()}"


def test_every_picture_names_its_benchmark_and_source(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    model.validation_summary = Summary(
        {"kl_new": torch.tensor(16.125), "kl_recalled": torch.tensor(10.5)},
        dict.fromkeys(("kl", "kl_new", "kl_recalled", "recalled_share"), torch.rand(25)),
        6,
    )
    figures = dict(Pictures(tmp_path, sequences=1)._figures(maze, model, "val", 100_000))
    assert set(figures) == MAZE
    for figure in figures.values():
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts = {text.get_gid(): text for text in figure.texts}
        assert texts["title"].get_text() == ("MNIST maze: GTMM (DNC) after 100,000 training steps")
        assert "mnist5k" in texts["subtitle"].get_text()
        for name in ("title", "subtitle"):
            assert texts[name].get_window_extent(renderer).x1 < figure.bbox.x1


@pytest.fixture
def baseline() -> VRNN:
    return VRNN(
        sequence_length=25,
        prefix_length=12,
        action_size=5,
        frame_shape=(1, 28, 28),
        visual=SMALL,
        controller_size=8,
    )


def test_a_core_that_is_no_choice_is_not_named(baseline: VRNN, maze: MNISTMaze) -> None:
    assert title_of(maze, baseline, None) == "MNIST maze: VRNN"


def test_without_slots_there_is_no_film(baseline: VRNN, maze: MNISTMaze, tmp_path: Path) -> None:
    figures = dict(Pictures(tmp_path, sequences=1)._figures(maze, baseline, "val", None))
    assert set(figures) == MAZE - {"memory_film", "kl_curve"}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_model_that_diverged_is_drawn(model: GTMM, maze: MNISTMaze, tmp_path: Path) -> None:
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).validate(model, maze, verbose=False)
    assert len(names(tmp_path)) == 2 * len(MAZE)


def test_no_sequences_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sequences must be"):
        Pictures(tmp_path, sequences=0)


def test_a_test_leaves_the_film_of_its_first_sequence(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    trainer(tmp_path, Pictures(tmp_path / "run")).test(model, maze, verbose=False)
    found = load_film(tmp_path / "run/memory_film.npz")
    first = maze.dataset("test")[0]
    torch.testing.assert_close(found.frames, first.frames, atol=1 / 255, rtol=0)
    assert found.recalled_from.tolist() == first.recalled_from.tolist()
    assert found.read.shape == (25, 2, 25)
    assert found.write.shape == (25, 1, 25)


def test_without_slots_a_test_leaves_no_film(
    baseline: VRNN, maze: MNISTMaze, tmp_path: Path
) -> None:
    trainer(tmp_path, Pictures(tmp_path, sequences=1)).test(baseline, maze, verbose=False)
    assert not (tmp_path / "memory_film.npz").exists()


def test_plain_loaders_have_no_fixed_set_to_draw(
    model: GTMM, maze: MNISTMaze, tmp_path: Path
) -> None:
    running = trainer(tmp_path, Pictures(tmp_path))
    running.validate(model, maze.val_dataloader(), verbose=False)
    running.test(model, maze.test_dataloader(), verbose=False)
    assert not names(tmp_path)
