"""Callbacks: all that a run shows while it runs, and all that it leaves behind."""
