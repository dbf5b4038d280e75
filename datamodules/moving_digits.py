"""Moving digits: dynamic 2D image completion in black and white."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.sources import DIGITS, ImageKind


class MovingDigits(MovingPictures):
    """A digit of 28 x 28 pixels moves over a canvas, of which some pixels are given.

    MNIST's ink is white on black. On the white canvas of the paper's text that would be a black
    square, so the image is inverted there: ink is black (-0.5), and the picture has no visible
    border. On the black canvas of the authors' code it is unchanged.
    """

    y_size: ClassVar[int] = 1
    images_of: ClassVar[ImageKind] = DIGITS
    picture_size: ClassVar[int] = 28

    def __init__(self, batch_size: int = 8, **settings: Any) -> None:
        """Check the settings; no data is touched.

        Args:
            batch_size: as in `BenchmarkDataModule`, with the paper's value.
            **settings: of `MovingPictures`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(batch_size=batch_size, **settings)

    @property
    def asks_for_inked_pictures(self) -> bool:
        """Whether the canvas is white, so that ink is dark."""
        return self.hparams["canvas"] == "white"

    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return digits with black ink on a white canvas, white on a black one, [N, 28, 28, 1]."""
        return images[..., None] if self.hparams["canvas"] == "black" else 255 - images[..., None]
