"""``sweep``: runs sweeps from files in W&B's format, locally and without an account."""
