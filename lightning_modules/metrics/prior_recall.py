"""Recall from the prior: does a model generate frames it was shown, without seeing them again?"""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from datamodules.frames.classifier import Classifier
from lightning_modules.metrics.answers import answers
from lightning_modules.metrics.step_means import Measurement


def prior_recall_measurements(
    logits: Tensor, batch: FrameSequences, priorities: Tensor, classifier: Classifier | None
) -> dict[str, Measurement]:
    """Measure generated frames whose answers were among the given frames.

    If only a class is recalled, there is no single right frame, and only the class is measured.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth.
        priorities: i.i.d. random numbers [B, T, S], for S given frames: the highest selects the
            other frame.
        classifier: returns the class of a frame, in benchmarks where only the class is recalled.

    Returns:
        Without a classifier ``prior_recall_error``, mean squared error against the true frame, in
        intensities squared, and ``prior_recall_error_other``, against a random given frame that
        does not hold the answer. (Not likelihoods: the entropy of grey pixels would blur the
        comparison.) With a classifier ``prior_recall_class_accuracy``, 1 where the
        generated frame is of the true class.
    """
    prefix = priorities.shape[2]
    holds_answer = answers(batch)[:, :, :prefix]
    known = holds_answer.any(2)
    known[:, :prefix] = False  # these frames were given, not generated
    generated = logits.sigmoid()
    if classifier is not None:
        right = torch.zeros_like(known)
        right[known] = classifier(generated[known]) == batch.labels[known]
        return {"prior_recall_class_accuracy": Measurement(right.to(generated.dtype), known)}
    others, comparable = draw_others(holds_answer, priorities)
    each = torch.arange(len(others), device=others.device).unsqueeze(1)
    other_frames = batch.frames[each, others]
    return {
        "prior_recall_error": Measurement(squared_error(generated, batch.frames), known),
        "prior_recall_error_other": Measurement(
            squared_error(generated, other_frames), known & comparable
        ),
    }


def squared_error(frames: Tensor, others: Tensor) -> Tensor:
    """Average the squared error over pixels, [B, T, C, H, W] -> [B, T]."""
    return (frames - others).square().flatten(2).mean(2)


def draw_others(holds_answer: Tensor, priorities: Tensor) -> tuple[Tensor, Tensor]:
    """Draw, for every step, a given frame that does not hold its answer.

    Args:
        holds_answer: [B, T, S] bool.
        priorities: i.i.d. random numbers [B, T, S].

    Returns:
        others: [B, T] in [0, S), at random; comparable: [B, T], whether there is one.
    """
    return priorities.masked_fill(holds_answer, -torch.inf).argmax(2), ~holds_answer.all(2)
