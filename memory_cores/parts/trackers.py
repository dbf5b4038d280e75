"""Cells that track values: LSTMs, shared or one for each, and ConvLSTMs of maps."""

from math import prod

from memory_cores.parts.conv_lstm import ConvLSTMCells
from memory_cores.parts.lstm import LSTMCell, SeparateLSTMCells

#: Of ConvLSTMs: their maps are small, and 3 x 3 sees the whole of 2 x 2.
KERNEL_SIZE = 3


def make_tracker(
    separate: int | None, place: int, inputs: int, value: int, maps: tuple[int, int] | None
) -> LSTMCell | SeparateLSTMCells | ConvLSTMCells:
    """Make the cells for K values.

    Args:
        separate: number K of cells with weights of their own; None where all share theirs.
        place: width of the first input.
        inputs: width of all other inputs together.
        value: width of a value.
        maps: height and width, where values and the other inputs are flattened maps.
    """
    if maps is not None:
        pixels = prod(maps)
        return ConvLSTMCells(place, inputs // pixels, (value // pixels, *maps), KERNEL_SIZE)
    if separate is not None:
        return SeparateLSTMCells(separate, place + inputs, value)
    return LSTMCell(place + inputs, value)
