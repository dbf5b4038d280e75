"""Checks within seconds if W&B's server accepts runs; W&B itself would retry for minutes."""

import os
import time

from lightning_modules.command_line.expendable_logger import in_a_line

#: Seconds to wait for the server's first answer.
PATIENCE = 5


def is_logged_in() -> bool:
    """Return whether an API key is configured, without a prompt or a request to the server.

    Raises:
        Exception: W&B cannot take its settings, or the key, for what they should be.
    """
    # Otherwise W&B requests the user's name from the server, to print it.
    os.environ.setdefault("WANDB_SILENT", "true")
    # Slow to import, and not needed by runs without W&B.
    import wandb

    return wandb.login(prompt=False, verify=False)


def objection() -> str | None:
    """Return why W&B's server would not accept a run; None if it would.

    Raises:
        Exception: W&B cannot take its settings, or the key, for what they should be.
    """
    import wandb

    if not is_logged_in():
        return "not logged in (`wandb login`)"
    url, began = wandb.setup().settings.base_url, time.monotonic()
    try:
        wandb.Api(timeout=PATIENCE)
    except Exception as failure:  # W&B's client raises many kinds
        if time.monotonic() - began >= PATIENCE:
            return f"{url} did not answer within {PATIENCE} s"
        return in_a_line(failure)
    return None
