"""Ends a training between two batches after a signal."""

from typing import Any

import lightning as L
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.types import STEP_OUTPUT

from lightning_modules.callbacks.stop_signals import StopSignals


class StopAtSignal(L.Callback):
    """Makes all processes of a training agree after each batch whether one has received a signal.

    ``LastCheckpoint`` then saves, and Lightning ends the training as it does after SIGTERM, once
    the step's metrics are logged. A validation ends at its next batch, and is repeated when the
    training is resumed.

    Args:
        signals: this process's signals.
    """

    def __init__(self, signals: StopSignals) -> None:
        self.signals = signals

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Record the launched processes, which must not outlive this one."""
        self.signals.launched = getattr(trainer.strategy.launcher, "procs", [])

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Agree; after the first step there is a state to save, so signals wait from then on."""
        if trainer.fit_loop._should_accumulate():
            return
        self.signals.waits = True
        if self._agree(trainer):
            # Lightning's own flag: it raises SIGTERMException at the end of the batch.
            trainer._signal_connector.received_sigterm = True

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Do not begin a validation if training is to end."""
        if self.signals.agreed:
            raise SIGTERMException

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Agree within a training's validation, and end it at once."""
        if self.signals.waits and self._agree(trainer):
            raise SIGTERMException

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Let signals end the process immediately after the training."""
        if not self.signals.agreed:
            self.signals.waits = False

    def _agree(self, trainer: L.Trainer) -> bool:
        received = self.signals.received is not None
        self.signals.agreed |= agreed(trainer, received)
        return self.signals.agreed


class Signals(_SignalConnector):
    """Leaves signals to ``StopSignals``: Lightning's own handlers save in the middle of a step.

    Under SLURM they also write into, and later read from, a folder that all runs share.

    Args:
        trainer: the connector's trainer.
        signals: this process's signals.
    """

    def __init__(self, trainer: L.Trainer, signals: StopSignals) -> None:
        super().__init__(trainer)
        self.signals = signals

    def register_signal_handlers(self) -> None:
        """Also handle the signal that SLURM sends before a job's time is up."""
        environment = self.trainer._accelerator_connector.cluster_environment
        requeue = getattr(environment, "requeue_signal", None)
        if isinstance(environment, SLURMEnvironment) and environment.auto_requeue and requeue:
            self.signals.requeues = requeue
            self.signals.handle(requeue)


def agreed(trainer: L.Trainer, decision: bool) -> bool:
    """Return whether the decision is true in any process."""
    if trainer.world_size == 1:
        return decision
    return trainer.strategy.reduce_boolean_decision(decision, all=False)
