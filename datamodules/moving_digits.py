"""Moving digits: dynamic 2D image completion in black and white."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.sources import DIGITS, ImageKind


class MovingDigits(MovingPictures):
    """A digit of 28 x 28 pixels.

    The paper's canvas is white and MNIST's ink is white on black, which would make the digit a
    black square. So the image is inverted: ink is black (-0.5), and around it nothing shows where
    the picture ends.
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
        """True where the protocol is strict: in the paper's, targets are a few pixels."""
        return self.point_recipe("test").everything

    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Invert digits to black ink on white, [N, 28, 28, 1]."""
        return 255 - images[..., None]
