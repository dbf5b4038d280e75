"""What a model remembers, in numbers per step."""

from lightning_modules.metrics.prior_recall import PRIOR_NAMES, prior_recall_measurements
from lightning_modules.metrics.read_correctness import READ_NAMES, read_measurements
from lightning_modules.metrics.recall import (
    BOUND_NAMES,
    OLD_AGE,
    bound_measurements,
    summarise,
)
from lightning_modules.metrics.step_means import Measurement, StepMeans, StepSums, Summary

__all__ = [
    "BOUND_NAMES",
    "OLD_AGE",
    "PRIOR_NAMES",
    "READ_NAMES",
    "Measurement",
    "StepMeans",
    "StepSums",
    "Summary",
    "bound_measurements",
    "prior_recall_measurements",
    "read_measurements",
    "summarise",
]
