"""One-shot recall: perfect recall of characters, tested on those that training never shows."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from datamodules import OneShotRecall
from datamodules.sources import omniglot


@pytest.fixture(params=["glyphs", "omniglot"])
def drawn(request: pytest.FixtureRequest, real_data: Path) -> dict:
    """Settings of every source of characters that this machine can read."""
    if request.param == "omniglot" and omniglot.missing_files(real_data):
        pytest.skip("Omniglot is not beside the repository")
    return {"source": request.param, "data_dir": str(real_data)}


def make(**settings) -> OneShotRecall:
    small = {"train_size": 300, "val_size": 100, "test_size": 100}
    built = OneShotRecall(**{**small, **settings})
    built.setup()
    return built


def test_test_characters_never_occur_in_training_or_validation(drawn: dict) -> None:
    task = make(**drawn)
    splits = {split: task.dataset(split) for split in ("train", "val", "test")}
    labels = {split: set(d.labels.tolist()) for split, d in splits.items()}
    assert labels["train"] == labels["val"] and not labels["train"] & labels["test"]
    names = splits["test"].names
    assert labels["train"] | labels["test"] == set(range(len(names)))
    alphabets = Counter(names[label].partition("/")[0] for label in labels["test"])
    assert set(alphabets.values()) == {3}
    assert set(alphabets) == {name.partition("/")[0] for name in names}
    images = {s: {i.numpy().tobytes() for i in d.images} for s, d in splits.items()}
    assert not images["test"] & images["train"] and not images["test"] & images["val"]
    assert not images["train"] & images["val"]
    # What sequences really show, by bytes and by label.
    for split, dataset in splits.items():
        batch = dataset.__getitems__(range(100))
        shown = {f.numpy().tobytes() for f in (batch.frames.flatten(0, 2) * 255).round().byte()}
        assert shown <= images[split] and set(batch.labels.unique().tolist()) <= labels[split]
    record = task.data_record()
    assert record["source"] == drawn["source"]
    assert record["test_characters"].startswith(f"{len(labels['test'])} held out: ")
    listed = record["test_characters"].partition(": ")[2].split(", ")
    assert listed == sorted(names[label] for label in labels["test"])


def test_one_shot_recall_is_perfect_recall_of_characters(drawn: dict) -> None:
    task = make(**drawn)
    assert (task.sequence_length, task.action_size, task.frame_shape) == (25, 0, (1, 28, 28))
    for split in ("train", "val", "test"):
        batch = task.dataset(split).__getitems__(range(100))
        assert batch.frames.dtype == torch.float32 and batch.frames.max() == 1
        assert batch.actions.shape == (100, 25, 0) and batch.actions.dtype == torch.float32
        assert torch.equal(batch.frames[:, 20:], batch.frames[:, :5])
        assert torch.equal(batch.labels[:, 20:], batch.labels[:, :5])
        expected = torch.tensor([-1] * 20 + [0, 1, 2, 3, 4]).expand(100, 25)
        assert torch.equal(batch.recalled_from, expected)
    assert make(**drawn).data_record() == task.data_record()
