"""Placement of axes on a sheet, in inches from its upper left corner."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes to a sheet; all lengths are in inches, from its left and its upper edge."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    box = left / whole_width, bottom / whole_height, width / whole_width, height / whole_height
    return figure.add_axes(box)


class Panels(NamedTuple):
    """Equal panels in rows and columns; all lengths are in inches."""

    left: float  #: from the sheet's left edge to the first column
    top: float  #: from the sheet's upper edge to the first row
    size: tuple[float, float]  #: width and height of a panel
    gaps: tuple[float, float]  #: between columns, and between rows

    def add(self, figure: Figure, row: int, column: int) -> Axes:
        """Add the axes of one panel; rows and columns count from 0."""
        left = self.left + column * (self.size[0] + self.gaps[0])
        top = self.top + row * (self.size[1] + self.gaps[1])
        return add_axes(figure, left, top, *self.size)

    def right(self, columns: int) -> float:
        """Right edge of the last of ``columns`` columns, from the sheet's left edge."""
        return self.left + columns * (self.size[0] + self.gaps[0]) - self.gaps[0]

    def bottom(self, rows: int) -> float:
        """Lower edge of the last of ``rows`` rows, from the sheet's upper edge."""
        return self.top + rows * (self.size[1] + self.gaps[1]) - self.gaps[1]
