"""Recall from the prior: which generated frames count, and what they are compared with."""

import pytest
import torch
from torch import Tensor

from datamodules import FrameSequences
from lightning_modules.metrics.prior_recall import draw_others, prior_recall_measurements

PREFIX = 3
#: Steps 3 and 5 show what step 0 and 1 showed; step 4 is new, and step 6 shows it again.
PLACE = [0, 1, 2, 0, 3, 1, 3]
RECALLED_FROM = [-1, -1, -1, 0, -1, 1, 4]


@pytest.fixture
def batch() -> FrameSequences:
    """Two sequences whose frames are one pixel each, a different one for each place."""
    place = torch.tensor([PLACE, PLACE])
    frames = torch.tensor([0.1, 0.4, 0.7, 0.9])[place][:, :, None, None, None]
    return FrameSequences(
        frames,
        torch.zeros(2, 7, 0),
        torch.tensor([RECALLED_FROM] * 2),
        place,
        place,
        torch.arange(2),
    )


def priorities(batch: FrameSequences, prefix: int = PREFIX) -> Tensor:
    return torch.randn(*batch.place.shape, prefix)


def test_frames_count_that_were_shown_in_the_prefix(batch: FrameSequences) -> None:
    found = prior_recall_measurements(torch.zeros(2, 7, 1, 1, 1), batch, priorities(batch), None)
    for name in ("prior_recall_error", "prior_recall_error_other"):
        assert found[name].where.nonzero()[:, 1].tolist() == [3, 5, 3, 5]
    assert set(found) == {"prior_recall_error", "prior_recall_error_other"}


def test_the_error_is_that_of_the_frame_itself(batch: FrameSequences) -> None:
    logits = torch.randn(2, 7, 1, 1, 1)
    found = prior_recall_measurements(logits, batch, priorities(batch), None)["prior_recall_error"]
    expected = (1 / (1 + (-logits).exp()) - batch.frames).square()[..., 0, 0, 0]
    torch.testing.assert_close(found.values[found.where], expected[found.where])


def test_who_remembers_is_nearer_to_the_truth_than_to_other_frames(batch: FrameSequences) -> None:
    found = prior_recall_measurements(batch.frames.logit(), batch, priorities(batch), None)
    true, other = found["prior_recall_error"], found["prior_recall_error_other"]
    assert (true.values[true.where] < other.values[true.where]).all()


def test_the_error_is_a_mean_over_pixels_and_leaves_the_prefix_out() -> None:
    place = torch.tensor([[0, 0, 1, 0]])  # step 1 shows again, in the prefix, what step 0 showed
    recalled_from = torch.tensor([[-1, 0, -1, 1]])
    frames = torch.zeros(1, 4, 1, 2, 2)
    frames[0, 3, 0, 0, 0] = 1.0
    shown = FrameSequences(
        frames, torch.zeros(1, 4, 0), recalled_from, place, place, torch.arange(1)
    )
    found = prior_recall_measurements(
        torch.full((1, 4, 1, 2, 2), -50.0), shown, priorities(shown, 3), None
    )
    error = found["prior_recall_error"]
    assert error.where[0].tolist() == [False, False, False, True]
    assert error.values[0, 3].item() == pytest.approx(0.25)


def test_others_are_given_frames_of_other_places_equally_often() -> None:
    torch.manual_seed(0)
    holds_answer = torch.tensor([[[True, False, False, True]]]).expand(3000, 1, 4)
    others, comparable = draw_others(holds_answer, torch.randn(3000, 1, 4))
    assert comparable.all()
    counts = others.flatten().bincount(minlength=4).tolist()
    assert counts[0] == counts[3] == 0
    assert 1350 < counts[1] < 1650


def test_without_another_frame_there_is_nothing_to_compare_with(batch: FrameSequences) -> None:
    found = prior_recall_measurements(torch.zeros(2, 7, 1, 1, 1), batch, priorities(batch, 1), None)
    assert found["prior_recall_error"].where.nonzero()[:, 1].tolist() == [3, 3]
    assert not found["prior_recall_error_other"].where.any()


def test_the_classifier_sees_the_frames_that_count(batch: FrameSequences) -> None:
    classified = []

    def classify(frames: Tensor) -> Tensor:
        classified.append(frames)
        return torch.tensor([0, 0, 7, 1])  # steps 3 and 5 of both sequences; right: 0, 1, 0, 1

    logits = torch.randn(2, 7, 1, 1, 1)
    found = prior_recall_measurements(logits, batch, priorities(batch), classify)
    accuracy = found["prior_recall_class_accuracy"]
    assert set(found) == {"prior_recall_class_accuracy"}, "no frame is the right one"
    torch.testing.assert_close(classified[0], logits[:, [3, 5]].flatten(0, 1).sigmoid())
    assert accuracy.values[accuracy.where].tolist() == [1.0, 0.0, 0.0, 1.0]
