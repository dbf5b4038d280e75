"""A test's curves in W&B, over the steps of a sequence instead of those of training."""

import math

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from lightning_modules.metrics import Summary

#: What W&B draws curves over; a sequence's first step is 1.
STEP = "curve/t"


class LoggedCurves(L.Callback):
    """Logs each curve of a test as ``curve/<name>``, a row for each step of the sequences."""

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log what the test found."""
        summary = getattr(pl_module, "test_summary", None)
        if summary is None or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                run = logger.experiment
                run.define_metric(STEP)
                run.define_metric("curve/*", step_metric=STEP)
                for row in rows(summary):
                    run.log(row)


def rows(summary: Summary) -> list[dict[str, float]]:
    """One for each step; a curve that has no value at a step is left out of its row."""
    curves = {f"curve/{name}": curve.tolist() for name, curve in summary.curves.items()}
    steps = max((len(curve) for curve in curves.values()), default=0)
    return [
        {STEP: t + 1}
        | {name: c[t] for name, c in curves.items() if t < len(c) and math.isfinite(c[t])}
        for t in range(steps)
    ]
