"""Whether W&B's server would take a run: known in seconds, where W&B itself tries for minutes."""

import os
import time

from lightning_modules.command_line.expendable_logger import in_a_line

#: Seconds that a server has for its first answer.
PATIENCE = 5


def is_logged_in() -> bool:
    """Whether this user has a key; nobody is asked for one, neither a person nor a server.

    Raises:
        Exception: W&B cannot take its settings, or the key, for what they should be.
    """
    # Else it asks the server for the user's name, to print it.
    os.environ.setdefault("WANDB_SILENT", "true")
    # Slow to import, and not needed by runs without it.
    import wandb

    return wandb.login(prompt=False, verify=False)


def objection() -> str | None:
    """Why W&B's server would take no run of this user; None if it would.

    Raises:
        Exception: W&B cannot take its settings, or the key, for what they should be.
    """
    import wandb

    if not is_logged_in():
        return "nobody is logged in (`wandb login`)"
    url, began = wandb.setup().settings.base_url, time.monotonic()
    try:
        wandb.Api(timeout=PATIENCE)
    except Exception as failure:  # W&B's client raises many kinds
        if time.monotonic() - began >= PATIENCE:
            return f"{url} gave no answer in {PATIENCE} s"
        return in_a_line(failure)
    return None
