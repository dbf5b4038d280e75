"""Moving faces: dynamic 2D image completion in colour."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.sources import FACES, ImageKind


class MovingFaces(MovingPictures):
    """A face of 32 x 32 pixels moves over a canvas, of which some pixels are given.

    It keeps the background of its photograph; y is red, green, blue.
    """

    y_size: ClassVar[int] = 3
    images_of: ClassVar[ImageKind] = FACES
    picture_size: ClassVar[int] = 32

    def __init__(self, batch_size: int = 4, **settings: Any) -> None:
        """Check the settings; no data is touched.

        Args:
            batch_size: as in `BenchmarkDataModule`, with the paper's value.
            **settings: of `MovingPictures`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(batch_size=batch_size, **settings)

    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the faces as they are, [N, 32, 32, 3]."""
        return images
