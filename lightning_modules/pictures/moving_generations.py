"""Sequences as short films: the truth, and below it the generation after a prefix."""

from collections.abc import Sequence

from matplotlib.animation import FuncAnimation
from matplotlib.artist import Artist

from lightning_modules.pictures.generation_grid import Generation
from lightning_modules.pictures.layout import Panels
from lightning_modules.pictures.style import HEADING_INCHES, INK, QUIET, pixels, sheet

# Lengths in inches. NAMES is the margin for row names, STEP the height of the step number.
SIDE, GAP, NAMES, STEP, MARGIN = 1.25, 0.1, 0.95, 0.32, 0.12
#: Duration of a step in milliseconds.
STEP_TIME = 250


def moving_generations(
    generations: Sequence[Generation], title: str, subtitle: str, colour: str
) -> FuncAnimation:
    """Show the sequences side by side, one step after the other.

    Args:
        generations: sequences of one benchmark, of equal length.
        title: bold, in the first line.
        subtitle: in the second line.
        colour: the model's colour, for the label of generated frames.
    """
    panels = Panels(NAMES, HEADING_INCHES, (SIDE, SIDE), (GAP, GAP))
    width, bottom = panels.right(len(generations)) + MARGIN, panels.bottom(2)
    figure = sheet(max(width, 5.6), bottom + STEP, title, subtitle)
    images = []
    for column, generation in enumerate(generations):
        for row, frames in enumerate((generation.truth, generation.generated)):
            axes = panels.add(figure, row, column)
            axes.set_axis_off()
            film = pixels(frames)
            images.append((axes.imshow(film[0], interpolation="nearest"), film))
    names = [
        figure.text(
            (NAMES - GAP) / figure.get_figwidth(),
            1 - (HEADING_INCHES + SIDE / 2 + row * (SIDE + GAP)) / figure.get_figheight(),
            "truth",
            size=9,
            ha="right",
            va="center",
        )
        for row in range(2)
    ]
    step = figure.text(
        NAMES / figure.get_figwidth(), 0.09 / figure.get_figheight(), "", size=9, color=INK
    )
    steps, prefix = len(generations[0].truth), generations[0].prefix

    def draw(t: int) -> list[Artist]:
        for image, film in images:
            image.set_data(film[t])
        in_prefix = t < prefix
        names[1].set_text("given" if in_prefix else "generated")
        names[1].set_color(QUIET if in_prefix else colour)
        step.set_text(f"t = {t + 1} of {steps}")
        return [*(image for image, _ in images), *names, step]

    return FuncAnimation(figure, draw, frames=steps, interval=STEP_TIME)
