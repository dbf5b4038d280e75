"""A run in W&B, which is kept offline wherever W&B's server does not take it."""

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
#: All that W&B knows: those that ask a server, and those that do not.
ONLINE, OFFLINE = ("online", "shared", "run"), ("offline", "disabled", "dryrun")
#: W&B's own settings, unless the user has others: seconds for a run's beginning, and at its end for
#: what is not sent yet; and no reports of its errors, which hold the end up for ten seconds.
LIMITS = {
    "WANDB_INIT_TIMEOUT": "15",
    "WANDB_FINISH_TIMEOUT": "15",
    "WANDB_ERROR_REPORTING": "false",
}


class WandbRun(Expendable, WandbLogger):
    """Lightning's logger, with limits to how long W&B may take and to what it may end."""

    @property
    def experiment(self) -> Any:
        """Return W&B's run, which begins with the first call."""
        on_zero = getattr(rank_zero_only, "rank", 0) == 0
        if self._experiment is None and not self.left_out and on_zero:
            self._attempt(self._begin)
        return super().experiment

    def finish(self) -> None:
        """End the run in W&B, so that another one in this process is a run of its own."""
        if self._experiment is None:
            return
        if self.left_out:
            # Its process may be dead: else it is told the end at exit, in a traceback of 30 lines.
            with suppress(Exception):
                import wandb

                wandb.teardown()
            return
        try:
            self._experiment.finish()
        except TimeoutError:
            later = f"wandb sync {self._kept_in()}"
            print(f"W&B did not receive all of the run in time; send the rest: {later}", flush=True)
        except Exception as failure:  # whatever it is, the run is over
            print(f"W&B failed at the run's end: {in_a_line(failure)}", flush=True)

    def _begin(self) -> None:
        for name, seconds in LIMITS.items():
            os.environ.setdefault(name, seconds)
        asked = self._wandb_init.get("mode") or os.environ.get(MODE)
        mode, problem = possible_mode("offline" if self._offline else asked)
        if problem is None:
            before = self._folders()
            try:
                return self._start(mode)
            except Exception as failure:  # W&B's client raises many kinds
                problem = in_a_line(failure)
                self._forget(self._folders() - before)
        self._start("offline")
        later = f"wandb sync {self._kept_in()}"
        print(f"W&B: {problem}; the run is kept offline; send it later: {later}", flush=True)

    def _start(self, mode: str) -> None:
        import wandb

        own = wandb.Settings(silent=True, console="off", finish_timeout_raises=True)
        self._wandb_init = {"settings": own, **self._wandb_init, "mode": mode}
        # Lightning's own, past the class that would leave it out.
        _ = super(Expendable, self).experiment

    @staticmethod
    def _forget(begun: set[Path]) -> None:
        """Clear away what did not begin; W&B has the run's name in use else."""
        import wandb

        wandb.teardown()
        for folder in begun:
            shutil.rmtree(folder, ignore_errors=True)

    def _kept_in(self) -> str:
        return shown(Path(self.experiment.settings.sync_dir))

    def _folders(self) -> set[Path]:
        return {*Path(self.save_dir or ".", "wandb").glob("run-*")}


def possible_mode(asked: str | None) -> tuple[str, str | None]:
    """How W&B can be asked to keep a run, and what is wrong if that is not how it should be.

    Args:
        asked: W&B's name of how; without it, online if this user is logged in.
    """
    if asked and asked not in (*ONLINE, *OFFLINE):
        # W&B itself reads it, too.
        os.environ[MODE] = "offline"
        return "offline", f"{MODE} must be one of {', '.join((*ONLINE, *OFFLINE))}, got {asked}"
    try:
        if asked in OFFLINE:
            return asked, None
        if not asked and not is_logged_in():
            return "offline", None
        return asked or "online", objection()
    except Exception as failure:  # a key or a setting that is none
        return "offline", in_a_line(failure)
