"""Loggers that a run can do without: their failures print a line, but never end the run."""

from collections.abc import Callable
from typing import Any

from lightning.fabric.loggers.logger import _DummyExperiment
from lightning.pytorch.loggers import Logger


class Expendable(Logger):
    """Mixin that disables a logger at its first failure.

    It precedes the logger's class in the MRO, so that ``isinstance`` checks still hold.
    """

    is_disabled = False

    @property
    def experiment(self) -> Any:
        """Return the logger's experiment, or a dummy that ignores all calls."""
        own = self._attempt(lambda: getattr(super(Expendable, self), "experiment", None))
        return _DummyExperiment() if own is None else own

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Log a step's metrics."""
        # The next class in the MRO is the concrete logger, not the abstract one.
        self._attempt(super().log_metrics, *args, **kwargs)  # type: ignore[safe-super]

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Log hyperparameters."""
        self._attempt(super().log_hyperparams, *args, **kwargs)  # type: ignore[safe-super]

    def log_graph(self, *args: Any, **kwargs: Any) -> None:
        """Log the model's graph."""
        self._attempt(super().log_graph, *args, **kwargs)

    def log_image(self, *args: Any, **kwargs: Any) -> None:
        """Log images, if the logger supports them."""
        if own := getattr(super(), "log_image", None):
            self._attempt(own, *args, **kwargs)

    def after_save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Let the logger handle a saved checkpoint."""
        self._attempt(super().after_save_checkpoint, *args, **kwargs)

    def save(self) -> None:
        """Flush what is not on disk yet."""
        self._attempt(super().save)

    def finalize(self, status: str) -> None:
        """Close the log with the run's status."""
        self._attempt(super().finalize, status)

    def _attempt(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.is_disabled:
            return None
        try:
            return action(*args, **kwargs)
        except Exception as failure:  # a logger may raise anything; the run continues
            # Methods call each other, so the failure may have been reported already.
            if not self.is_disabled:
                who, why = type(self).__name__, in_a_line(failure)
                print(f"{who} failed and is disabled from here on: {why}", flush=True)
            self.is_disabled = True
            return None


def expendable(logger: Logger) -> Logger:
    """Make a logger expendable, such as one that a user configured."""
    own = type(logger)
    if not issubclass(own, Expendable):
        logger.__class__ = type(own.__name__, (Expendable, own), {})
    return logger


def in_a_line(failure: BaseException) -> str:
    """Summarise a failure in one line; libraries take up to fifty."""
    text = str(failure).strip() or type(failure).__name__
    if " [type=" in text:  # Pydantic appends the error's type and a link
        return " ".join(text.partition(" [type=")[0].split())
    return text.splitlines()[0]
