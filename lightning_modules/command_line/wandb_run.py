"""A W&B logger that falls back to offline mode if the server does not accept the run."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_modules.command_line.expendable_logger import Expendable, in_a_line
from lightning_modules.command_line.wandb_server import is_logged_in, objection
from lightning_modules.records.run_folder import shown

MODE = "WANDB_MODE"
#: W&B's modes: those that contact a server, and those that do not.
ONLINE, OFFLINE = ("online", "shared", "run"), ("offline", "disabled", "dryrun")
#: Defaults of W&B's settings: timeouts in seconds for the start of a run and for sending the rest
#: at its end; and no error reports, which would delay the end by ten seconds.
LIMITS = {
    "WANDB_INIT_TIMEOUT": "15",
    "WANDB_FINISH_TIMEOUT": "15",
    "WANDB_ERROR_REPORTING": "false",
}


class WandbRun(Expendable, WandbLogger):
    """Lightning's W&B logger with timeouts, whose failures do not end the run."""

    @property
    def experiment(self) -> Any:
        """Return W&B's run, which starts at the first access."""
        on_zero = getattr(rank_zero_only, "rank", 0) == 0
        if self._experiment is None and not self.is_disabled and on_zero:
            self._attempt(self._begin)
        return super().experiment

    def finish(self) -> None:
        """End the W&B run, so that this process's next run is a new one."""
        if self._experiment is None:
            return
        if self.is_disabled:
            # W&B's process may be dead, and would then fail at exit with a traceback of 30 lines.
            with suppress(Exception):
                import wandb

                wandb.teardown()
            return
        try:
            self._experiment.finish()
        except TimeoutError:
            sync = f"wandb sync {self._kept_in()}"
            print(f"W&B did not receive the whole run in time; upload the rest: {sync}", flush=True)
        except Exception as failure:  # the run is over in any case
            print(f"W&B failed at the run's end: {in_a_line(failure)}", flush=True)

    def _begin(self) -> None:
        for name, seconds in LIMITS.items():
            os.environ.setdefault(name, seconds)
        requested = self._wandb_init.get("mode") or os.environ.get(MODE)
        mode, problem = possible_mode("offline" if self._offline else requested)
        if problem is None:
            before = self._folders()
            try:
                return self._start(mode)
            except Exception as failure:  # W&B's client raises many kinds
                problem = in_a_line(failure)
                self._discard(self._folders() - before)
        self._start("offline")
        sync = f"wandb sync {self._kept_in()}"
        print(f"W&B: {problem}; the run is stored offline; upload it later: {sync}", flush=True)

    def _start(self, mode: str) -> None:
        import wandb

        own = wandb.Settings(silent=True, console="off", finish_timeout_raises=True)
        self._wandb_init = {"settings": own, **self._wandb_init, "mode": mode}
        # Lightning's property, bypassing Expendable, so that failures are raised.
        _ = super(Expendable, self).experiment

    @staticmethod
    def _discard(folders: set[Path]) -> None:
        """Remove a run that failed to start, whose name would otherwise stay in use."""
        import wandb

        wandb.teardown()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _kept_in(self) -> str:
        return shown(Path(self.experiment.settings.sync_dir))

    def _folders(self) -> set[Path]:
        return {*Path(self.save_dir or ".", "wandb").glob("run-*")}


def possible_mode(requested: str | None) -> tuple[str, str | None]:
    """Return a usable W&B mode, and the problem if it is not the requested one.

    Args:
        requested: W&B's name of the mode; default: online if the user is logged in.
    """
    if requested and requested not in (*ONLINE, *OFFLINE):
        # W&B also reads the environment.
        os.environ[MODE] = "offline"
        return "offline", f"{MODE} must be one of {', '.join((*ONLINE, *OFFLINE))}, got {requested}"
    try:
        if requested in OFFLINE:
            return requested, None
        if not requested and not is_logged_in():
            return "offline", None
        return requested or "online", objection()
    except Exception as failure:  # an invalid key or setting
        return "offline", in_a_line(failure)
