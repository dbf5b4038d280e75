"""Dynamic 2D image rendering: patches of a moving face (Yoon et al. 2020, section 5.3).

A step's task is a function from locations to patches of a canvas on which a face moves. A model
sees some patches of each step, or none, and renders others.
"""

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import RegimeSettings
from datamodules.points.canvas.benchmark import MovingPictures
from datamodules.points.canvas.dataset import MovingRecipe
from datamodules.points.canvas.mean_canvas import mean_canvas
from datamodules.points.canvas.patches import first_pixels, patches_at
from datamodules.points.context_sets import PointRecipe, Regime
from datamodules.sources import LARGE_FACES, ImageKind, Split

#: Number of faces in the mean face.
AVERAGED = 4_000


class RenderedFaces(MovingPictures):
    """A face of 64 x 64 pixels moves over a canvas of 80 x 80, seen through patches of 8 x 8.

    x is the location of a patch, y its 192 values, red first. The targets of every split are the
    context and m other patches: all 5,329 would amount to a thousand canvases. With 100 patches a
    context covers some 70% of the canvas, with 325 about 98%.
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
            canvas_size: rows, and columns, of the canvas, which patches cover in pictures: a
                multiple of 8.
            speed: pixels that the face moves per step.
            batch_size: as in `BenchmarkDataModule`, with the paper's value.
            **settings: of `MovingPictures`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(canvas_size=canvas_size, speed=speed, batch_size=batch_size, **settings)
        if canvas_size % self.patch_shape[1]:
            raise ValueError(
                f"canvas_size must be a multiple of {self.patch_shape[1]}, got {canvas_size}"
            )

    @property
    def training_points(self) -> int:
        """Number of all patches."""
        return (self.hparams["canvas_size"] - self.patch_shape[1] + 1) ** 2

    @property
    def canvas_shape(self) -> None:
        """None: the points are not the pixels of a canvas."""
        return None

    def point_recipe(self, split: Split) -> PointRecipe:
        """Return the recipe by which sequences choose patches, for all splits as in training."""
        return replace(super().point_recipe(split), everything=False)

    def recipe(self, split: Split) -> MovingRecipe:
        """Return the recipe for a split's sequences."""
        return replace(super().recipe(split), patch=self.patch_shape[1])

    @cached_property
    def mean_face(self) -> Tensor:
        """Mean of the first training faces, float32 [64, 64, 3] from 0 to 255; needs `setup`."""
        faces = self.dataset("train").pictures[:AVERAGED]
        return torch.from_numpy(faces.mean(0, dtype=np.float32))

    @cached_property
    def mean_canvas(self) -> Tensor:
        """Mean face averaged over all positions, float32 [side, side, 3]; needs `setup`."""
        return mean_canvas(self.mean_face, self.hparams["canvas_size"], self.recipe("val").free)

    def guesses(self, batch: FunctionSequences) -> dict[str, Tensor]:
        """Return patches of the mean training face, at the face or averaged over all positions.

        Returns:
            ``mean_face`` and ``mean_canvas``, [B, T, M, 192]; needs `setup`.
        """
        side, patch, recipe = self.hparams["canvas_size"], self.patch_shape[1], self.recipe("val")
        row, column = first_pixels(batch.target_x.cpu(), side, patch).unbind(-1)
        index = row * recipe.line + column
        centres = (batch.task.cpu().double() + 1) / 2 * (side - 1)
        corners = (centres - (self.picture_size - 1) / 2).round().long()

        def cut(picture: Tensor, corners: Tensor) -> Tensor:
            pictures = picture.expand(len(index), *picture.shape)
            return patches_at(index, pictures, corners, side, patch, recipe.free)

        return {
            "mean_face": cut(self.mean_face, corners),
            "mean_canvas": cut(self.mean_canvas, torch.zeros_like(corners)),
        }

    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the faces as they are, [N, 64, 64, 3]."""
        return images
