"""Recall from the prior: does a model generate what it was shown, without seeing it again?"""

import torch
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from datamodules.frames.classifier import Classifier
from lightning_modules.metrics.answers import answers
from lightning_modules.metrics.step_means import Measurement


def prior_recall_measurements(
    logits: Tensor, batch: FrameSequences, lots: Tensor, classifier: Classifier | None
) -> dict[str, Measurement]:
    """Measure the generated frames whose answers were among the frames that were given.

    Where only a class is recalled no frame is the right one, and only the class is measured.

    Args:
        logits: frames generated after the prefix, as logits [B, T, C, H, W].
        batch: the truth.
        lots: numbers at random [B, T, S], for S given frames: the other one has the highest.
        classifier: names the class of a frame, in benchmarks where only the class is recalled.

    Returns:
        Without a classifier ``prior_recall_error``, mean squared error against the true frame, in
        intensities squared, and ``prior_recall_error_other``, against another given frame, drawn
        from those that do not hold the answer. (Not likelihoods: the entropy of grey pixels would
        blur the comparison.) With a classifier ``prior_recall_class_accuracy``, 1 where the
        generated frame is of the true class.
    """
    prefix = lots.shape[2]
    holds_answer = answers(batch)[:, :, :prefix]
    known = holds_answer.any(2)
    known[:, :prefix] = False  # these frames were given, not generated
    generated = logits.sigmoid()
    if classifier is not None:
        right = torch.zeros_like(known)
        right[known] = classifier(generated[known]) == batch.labels[known]
        return {"prior_recall_class_accuracy": Measurement(right.to(generated.dtype), known)}
    others, comparable = draw_others(holds_answer, lots)
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


def draw_others(holds_answer: Tensor, lots: Tensor) -> tuple[Tensor, Tensor]:
    """Draw, for every step, a given frame that does not hold its answer.

    Args:
        holds_answer: [B, T, S] bool.
        lots: numbers at random [B, T, S], all alike.

    Returns:
        others: [B, T] in [0, S), at random; comparable: [B, T], whether there is one.
    """
    return lots.masked_fill(holds_answer, -torch.inf).argmax(2), ~holds_answer.all(2)
