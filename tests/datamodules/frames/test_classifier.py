"""The classifier of generated digits, on real ones."""

import torch

from datamodules import ParityRecall, PerfectRecall


def test_unseen_digits_are_classified_and_zeros_and_ones_nearly_always(tmp_path) -> None:
    task = ParityRecall(data_dir=str(tmp_path), source="mnist5k")
    task.setup()
    test = task.dataset("test")
    frames = test.images.unsqueeze(1).float() / 255
    right = task.classifier(frames) == test.labels
    assert right.float().mean() > 0.92
    assert right[test.labels < 2].float().mean() > 0.98


def test_half_precision_frames_are_classified_alike(tmp_path) -> None:
    task = ParityRecall(data_dir=str(tmp_path), source="mnist5k")
    task.setup()
    frames = task.dataset("test").images[:50].unsqueeze(1).float() / 255
    agree = task.classifier(frames.bfloat16()) == task.classifier(frames)
    assert agree.float().mean() > 0.95
    assert task.classifier(frames).dtype == torch.int64


def test_there_is_one_only_where_a_class_is_recalled(tmp_path) -> None:
    assert PerfectRecall(data_dir=str(tmp_path), source="mnist5k").classifier is None


def test_no_frames_and_frames_of_a_diverged_model_are_classified(tmp_path) -> None:
    task = ParityRecall(data_dir=str(tmp_path), source="mnist5k")
    task.setup()
    assert task.classifier(torch.zeros(0, 1, 28, 28)).shape == (0,)
    assert task.classifier(torch.full((2, 1, 28, 28), float("nan"))).shape == (2,)
