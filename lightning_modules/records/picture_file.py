"""Figures and films as files."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.animation import Animation
from matplotlib.figure import Figure

from lightning_modules.records.durable_file import write_durably


def save_picture(drawing: Figure | Animation, path: Path) -> None:
    """Write a figure or a film atomically, at its full size.

    Args:
        drawing: the figure or film.
        path: a PNG for a figure, a WebP or a GIF for a film.
    """
    content = png(drawing) if isinstance(drawing, Figure) else film(drawing, path.suffix)
    write_durably(path, content)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=figure.dpi)
    return content.getvalue()


def film(animation: Animation, ending: str) -> bytes:
    """Return an animation as a film of the format with this ending."""
    # Matplotlib writes films only to files, and takes the format from their names.
    with TemporaryDirectory() as folder:
        path = Path(folder, f"film{ending}")
        animation.save(path, writer="pillow")
        return path.read_bytes()
