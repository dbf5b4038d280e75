"""``sweep``: many runs of one experiment, without an account, from a file in W&B's sweep format."""
