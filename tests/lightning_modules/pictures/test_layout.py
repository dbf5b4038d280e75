"""Axes and panels lie where inches say."""

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_modules.pictures.layout import Panels, add_axes

PANELS = Panels(left=0.5, top=1.0, size=(2.0, 1.5), gaps=(0.25, 0.5))


def inches_of(axes: Axes) -> tuple[float, ...]:
    """Left and upper edge, width and height."""
    box, (width, height) = axes.get_position(), axes.figure.get_size_inches()
    return box.x0 * width, (1 - box.y1) * height, box.width * width, box.height * height


def test_axes_lie_where_they_are_put() -> None:
    axes = add_axes(Figure(figsize=(8, 4)), left=1, top=0.5, width=3, height=2)
    assert inches_of(axes) == pytest.approx((1, 0.5, 3, 2))


def test_panels_follow_each_other_across_and_down() -> None:
    figure = Figure(figsize=(8, 6))
    assert inches_of(PANELS.add(figure, 0, 0)) == pytest.approx((0.5, 1.0, 2.0, 1.5))
    assert inches_of(PANELS.add(figure, 1, 2)) == pytest.approx((5.0, 3.0, 2.0, 1.5))


def test_rows_and_columns_end_with_their_last_panel() -> None:
    left, top, width, height = inches_of(PANELS.add(Figure(figsize=(8, 6)), 1, 2))
    assert PANELS.right(columns=3) == pytest.approx(left + width)
    assert PANELS.bottom(rows=2) == pytest.approx(top + height)
