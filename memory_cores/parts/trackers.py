"""Cells that track values: shared or separate LSTMs, and ConvLSTMs for maps."""

from math import prod

from memory_cores.parts.conv_lstm import ConvLSTMCells
from memory_cores.parts.lstm import LSTMCell, SeparateLSTMCells

#: Kernel size of ConvLSTMs: 3 x 3 covers the whole of a 2 x 2 map.
KERNEL_SIZE = 3


def make_tracker(
    separate: int | None, place: int, inputs: int, value: int, maps: tuple[int, int] | None
) -> LSTMCell | SeparateLSTMCells | ConvLSTMCells:
    """Build the cells for K values.

    Args:
        separate: number K of cells with separate weights; None if all share them.
        place: width of the first input.
        inputs: total width of the other inputs.
        value: width of a value.
        maps: height and width if values and the other inputs are flattened maps.
    """
    if maps is not None:
        pixels = prod(maps)
        return ConvLSTMCells(place, inputs // pixels, (value // pixels, *maps), KERNEL_SIZE)
    if separate is not None:
        return SeparateLSTMCells(separate, place + inputs, value)
    return LSTMCell(place + inputs, value)
