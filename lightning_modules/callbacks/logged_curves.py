"""Curves in W&B over the steps of a sequence instead of training steps."""

import math
from typing import Any

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from lightning_modules.metrics import Summary

#: Prefixes of curves: those of a test, and of the last validation of a fit.
TESTED, VALIDATED = "curve", "val_curve"


class LoggedCurves(L.Callback):
    """Logs each curve as ``<stage>/<name>``, one row per step ``<stage>/t`` of the sequences."""

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the last validation's curves: sweeps in W&B end with it."""
        log_curves(trainer, VALIDATED, getattr(pl_module, "validation_summary", None))

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the test's curves."""
        log_curves(trainer, TESTED, getattr(pl_module, "test_summary", None))


def log_curves(trainer: L.Trainer, stage: str, summary: Summary | None) -> None:
    """Log a summary's curves to W&B only, from one process."""
    if summary is None or not trainer.is_global_zero:
        return
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            try:
                draw(logger.experiment, stage, summary)
            except Exception as failure:  # the run has its results, whatever W&B raises
                reason = (str(failure) or type(failure).__name__).splitlines()[0]
                print(f"W&B did not accept the curves: {reason}", flush=True)


def draw(run: Any, stage: str, summary: Summary) -> None:
    """Log a summary's curves to a run in W&B."""
    run.define_metric(step_of(stage))
    run.define_metric(f"{stage}/*", step_metric=step_of(stage))
    for row in rows(stage, summary):
        run.log(row)


def step_of(stage: str) -> str:
    """Name the quantity over which W&B draws a stage's curves; a sequence's first step is 1."""
    return f"{stage}/t"


def rows(stage: str, summary: Summary) -> list[dict[str, float]]:
    """Return a row for each step, without curves that have no value there."""
    curves = {f"{stage}/{name}": curve.tolist() for name, curve in summary.curves.items()}
    steps = max((len(curve) for curve in curves.values()), default=0)
    return [
        {step_of(stage): t + 1}
        | {name: c[t] for name, c in curves.items() if t < len(c) and math.isfinite(c[t])}
        for t in range(steps)
    ]
