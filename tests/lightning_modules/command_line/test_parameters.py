"""The lines below the table of parameters."""

from lightning_modules.command_line.parameters import spread


def test_the_spread_is_over_the_smallest():
    said = "The largest model has 50.00% more parameters than the smallest."
    assert spread([150, 100, 120]) == said
