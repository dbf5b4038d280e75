"""The sizes at which cores are compared."""

from argparse import ArgumentParser, Namespace
from typing import NamedTuple


class Sizes(NamedTuple):
    """Sizes of a controller with a memory, similar to published comparisons of DNCs."""

    steps: int = 25  #: T of a sequence
    batch: int = 10  #: sequences B
    controller: int = 256  #: width H of the LSTM
    slots: int = 25  #: N of every core that has slots
    word: int = 32  #: width W of a slot, of an item's value and of a step's input
    read_heads: int = 5  #: R


def add_sizes(parser: ArgumentParser) -> None:
    """Add an option for each size."""
    group = parser.add_argument_group("sizes")
    for name, default in Sizes()._asdict().items():
        group.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, metavar="N")


def sizes_of(options: Namespace) -> Sizes:
    """Return the sizes given by the options."""
    return Sizes(*(getattr(options, name) for name in Sizes._fields))
