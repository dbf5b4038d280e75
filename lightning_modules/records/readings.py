"""What ``compare`` shows of each family of models: columns of a table, the curve of a figure."""

from collections.abc import Container
from typing import Literal, NamedTuple

from lightning_modules.pictures.nll_curve import CONTEXTS, NLL, OPTIMUM


class Column(NamedTuple):
    """One number of a test, as in docs/metrics.md."""

    scalar: str
    header: str
    digits: int  #: after the point
    better: Literal["lower", "higher"]


class Reading(NamedTuple):
    """Of one family."""

    family: str  #: in words
    columns: tuple[Column, ...]
    curve: str  #: drawn step by step; only this family's tests have it, or those before it
    label: str  #: of the curve, with its unit
    from_zero: bool  #: whether the curve is never negative
    share: str  #: curve of a share of sequences, drawn as shaded steps
    share_name: str
    validated: str  #: number of a validation that tells how far training is
    validated_label: str  #: of it, with its unit
    headlines: tuple[str, ...]  #: of the columns: models are ranked by the first that all have
    optimum: str = ""  #: curve of the least that is possible, where a family has one
    optimum_name: str = ""


FUNCTIONS = Reading(
    family="neural processes",
    columns=(
        Column("nll", "NLL", 3, "lower"),
        Column("nll_with_context", "with context", 3, "lower"),
        Column("nll_without_context", "without context", 3, "lower"),
        Column("nll_unseen", "unseen", 3, "lower"),
        Column("gap_nll", "gap to optimum", 3, "lower"),
        Column("gap_inferred_nll", "gap to inference", 3, "lower"),
        Column("overlap_late", "overlap, late", 3, "higher"),
        Column("mse", "MSE", 4, "lower"),
    ),
    curve="nll",
    label=NLL,
    from_zero=False,
    share="context_share",
    share_name=CONTEXTS,
    validated="nll",
    validated_label=f"validation's {NLL}",
    headlines=("nll",),
    optimum="optimal_nll",
    optimum_name=OPTIMUM,
)
FRAMES = Reading(
    family="generative temporal models",
    columns=(
        Column("bound", "bound", 1, "higher"),
        Column("kl_new", "KL, new", 2, "lower"),
        Column("kl_recalled", "KL, all recalled", 2, "lower"),
        Column("recall_ratio", "KL ratio, old", 3, "lower"),
        Column("recall_ratio_late", "KL ratio, old late", 3, "lower"),
        Column("read_correctness_best_head", "best head's reads", 3, "higher"),
        Column("prior_recall_class_accuracy", "class accuracy", 3, "higher"),
    ),
    curve="kl",
    label="KL of posterior from prior (nats per step)",
    from_zero=True,
    share="recalled_share",
    share_name="recalled steps",
    validated="bound",
    validated_label="validation's lower bound (nats per sequence)",
    # Only parity recall has the first; there the step alone lowers the KL, whatever the memory.
    headlines=("prior_recall_class_accuracy", "recall_ratio_late", "recall_ratio", "bound"),
)
#: A test belongs to the first family whose curve it has.
READINGS = (FUNCTIONS, FRAMES)


def reading_of(curves: Container[str]) -> Reading | None:
    """The family of a test with these curves, if it is known."""
    return next((reading for reading in READINGS if reading.curve in curves), None)
