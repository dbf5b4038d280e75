"""Step-wise measurements of a batch, and their averages."""

from lightning_modules.metrics.answers import OLD_AGE
from lightning_modules.metrics.step_means import Measurement, StepMeans, StepSums, Summary

__all__ = ["OLD_AGE", "Measurement", "StepMeans", "StepSums", "Summary"]
