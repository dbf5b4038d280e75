"""Dynamic 2D image rendering: patches of a moving face (Yoon et al. 2020, section 5.3).

A step's task is a function from places to patches of a canvas on which a face moves. A model sees
some patches of each step, or none, and renders others.
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.points.benchmark import RegimeSettings
from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.points.canvas.dataset import MovingRecipe
from datamodules.points.context_sets import PointRecipe, Regime
from datamodules.sources import LARGE_FACES, ImageKind, Split


class RenderedFaces(MovingPictures):
    """A face of 64 x 64 pixels on a canvas of 80 x 80, seen through patches of 8 x 8.

    x is the place of a patch, y its 192 values, red first. The targets of every split are the
    context and the m others that were drawn: all 5,329 patches would be a thousand canvases. With
    100 patches a context covers some 70% of the canvas, with 325 about 98%.
    """

    regimes: ClassVar[dict[Regime, RegimeSettings]] = {
        "sparse": RegimeSettings(6, 5, (100, 100), 151),
        "transfer": RegimeSettings(6, 3, (300, 350), 351),
    }
    y_size: ClassVar[int] = 192
    patch_shape = (3, 8, 8)
    images_of: ClassVar[ImageKind] = LARGE_FACES
    picture_size: ClassVar[int] = 64

    def __init__(
        self, canvas_size: int = 80, speed: float = 13.0, batch_size: int = 4, **settings: Any
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            canvas_size: rows, and columns, of the canvas.
            speed: pixels that the face moves per step.
            batch_size: as in `BenchmarkDataModule`, with the paper's value.
            **settings: of `MovingPictures`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(canvas_size=canvas_size, speed=speed, batch_size=batch_size, **settings)

    @property
    def training_points(self) -> int:
        """Number of patches that there are."""
        return (self.hparams["canvas_size"] - self.patch_shape[1] + 1) ** 2

    @property
    def canvas_shape(self) -> None:
        """There is none whose pixels are the points."""
        return None

    def point_recipe(self, split: Split) -> PointRecipe:
        """Say how the sequences of a split choose their patches: all as in training."""
        return replace(super().point_recipe(split), everything=False)

    def recipe(self, split: Split) -> MovingRecipe:
        """Say how the sequences of a split are made."""
        return replace(super().recipe(split), patch=self.patch_shape[1])

    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the faces as they are, [N, 64, 64, 3]."""
        return images
