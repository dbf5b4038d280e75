"""Loggers that a run can do without: their failures cost a line, never the run."""

from collections.abc import Callable
from typing import Any

from lightning.fabric.loggers.logger import _DummyExperiment
from lightning.pytorch.loggers import Logger


class Expendable(Logger):
    """A logger that is left out from its first failure on.

    It stands before the class of the logger proper, which stays what it is for whoever asks.
    """

    left_out = False

    @property
    def experiment(self) -> Any:
        """Return what the logger writes with, or something that takes all and does nothing."""
        own = self._attempt(lambda: getattr(super(Expendable, self), "experiment", None))
        return _DummyExperiment() if own is None else own

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Log numbers of a step."""
        # The logger proper comes next, not the abstract class.
        self._attempt(super().log_metrics, *args, **kwargs)  # type: ignore[safe-super]

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Log settings."""
        self._attempt(super().log_hyperparams, *args, **kwargs)  # type: ignore[safe-super]

    def log_graph(self, *args: Any, **kwargs: Any) -> None:
        """Log how the model is computed."""
        self._attempt(super().log_graph, *args, **kwargs)

    def log_image(self, *args: Any, **kwargs: Any) -> None:
        """Log pictures, if the logger takes any."""
        if own := getattr(super(), "log_image", None):
            self._attempt(own, *args, **kwargs)

    def after_save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Do what the logger does with checkpoints."""
        self._attempt(super().after_save_checkpoint, *args, **kwargs)

    def save(self) -> None:
        """Write what is not on disk yet."""
        self._attempt(super().save)

    def finalize(self, status: str) -> None:
        """End the log, however the run ended."""
        self._attempt(super().finalize, status)

    def _attempt(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.left_out:
            return None
        try:
            return action(*args, **kwargs)
        except Exception as failure:  # whatever a logger raises, the run goes on
            # Methods call each other: one may have said it already.
            if not self.left_out:
                who, why = type(self).__name__, in_a_line(failure)
                print(f"{who} failed and is disabled from here on: {why}", flush=True)
            self.left_out = True
            return None


def expendable(logger: Logger) -> Logger:
    """Make a logger, one that a user brought along, one whose failures end no run."""
    own = type(logger)
    if not issubclass(own, Expendable):
        logger.__class__ = type(own.__name__, (Expendable, own), {})
    return logger


def in_a_line(failure: BaseException) -> str:
    """Say what went wrong in one line; libraries take up to fifty."""
    said = str(failure).strip() or type(failure).__name__
    if " [type=" in said:  # Pydantic's: what it is about comes later, then a kind and a link
        return " ".join(said.partition(" [type=")[0].split())
    return said.splitlines()[0]
