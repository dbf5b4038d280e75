"""Dynamic 2D image completion (Yoon et al. 2020, section 5.2 and appendix B.2).

A step's task is a function from the pixels of a canvas to their intensities. A picture on the
canvas moves from step to step. A model sees a few pixels of each step, or none, and predicts
others.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datamodules.loading.checks import require_at_least, require_at_most, require_one_of
from datamodules.points.benchmark import FunctionDataModule, RegimeSettings
from datamodules.points.canvas.bouncing import Bouncing
from datamodules.points.canvas.canvas import BLACK, WHITE
from datamodules.points.canvas.dataset import MovingPictureDataset, MovingRecipe
from datamodules.points.context_sets import Regime
from datamodules.sources import LabelledImages, Split
from datamodules.sources.image_benchmark import ImageBenchmark

Canvas = Literal["white", "black"]


class MovingPictures(
    ImageBenchmark[MovingPictureDataset], FunctionDataModule[MovingPictureDataset]
):
    """A picture that bounces between the edges of a canvas.

    x is the location of a pixel, row before column, from -1 to 1; y is its intensity minus 0.5, so
    white is 0.5; `task` is the location of the picture's centre (see `canvas.canvas`). By
    default, contexts have 30 points and a step at most 51 in the sparse regime; 5 to 500 and at
    most 501 in the transfer regime.

    The authors' code truncates the picture's position to whole pixels, so that it never touches the
    far walls; here it is rounded, in both protocols: half a pixel further on average.

    A benchmark defines the pictures.
    """

    regimes: ClassVar[dict[Regime, RegimeSettings]] = {
        "sparse": RegimeSettings(50, 45, (30, 30), 51),
        "transfer": RegimeSettings(20, 10, (5, 500), 501),
    }
    x_size: ClassVar[int] = 2
    x_range: ClassVar[float] = 1.0
    picture_size: ClassVar[int]
    """Rows, and columns, of a picture."""

    def __init__(
        self,
        canvas_size: int = 42,
        speed: float = 3.0,
        velocity_noise: float = 0.1,
        canvas: Canvas = "white",
        eval_batch_size: int = 8,
        val_size: int = 32,
        test_size: int = 512,
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            canvas_size: rows, and columns, of the canvas.
            speed: pixels that the picture moves per step.
            velocity_noise: standard deviation of each step's velocity, relative to it.
            canvas: colour around the picture; "white" in the paper's text, "black" in its code.
            eval_batch_size: as in `BenchmarkDataModule`; all pixels of a sequence are targets.
            val_size: as in `BenchmarkDataModule`.
            test_size: as in `BenchmarkDataModule`.
            **settings: of `ImageBenchmark` and `FunctionDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(
            eval_batch_size=eval_batch_size, val_size=val_size, test_size=test_size, **settings
        )
        require_at_least(self.picture_size + 1, canvas_size=canvas_size)
        require_at_most(self.training_points, most_points=self._setting("most_points"))
        require_at_least(0, speed=speed, velocity_noise=velocity_noise)
        require_one_of(get_args(Canvas), canvas=canvas)

    @property
    def training_points(self) -> int:
        """Number of pixels of the canvas."""
        return self.hparams["canvas_size"] ** 2

    @property
    def canvas_shape(self) -> tuple[int, int, int] | None:
        """Channels, height and width of the canvas."""
        return (self.y_size, self.hparams["canvas_size"], self.hparams["canvas_size"])

    @abstractmethod
    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pictures to put on the canvas, [N, S, S, Dy], from a source's images."""

    def make_dataset(self, split: Split, images: LabelledImages) -> MovingPictureDataset:
        """Build the sequences of a split from its pictures."""
        pictures, size = self.pictures(images.images), self.hparams[f"{split}_size"]
        return MovingPictureDataset(self.recipe(split), pictures, self.hparams["seed"], split, size)

    def recipe(self, split: Split) -> MovingRecipe:
        """Return the recipe for a split's sequences."""
        side = self.hparams["canvas_size"]
        room = side - self.picture_size
        motion = Bouncing(room, self.hparams["speed"], self.hparams["velocity_noise"])
        background = WHITE if self.hparams["canvas"] == "white" else BLACK
        return MovingRecipe(motion, self.point_recipe(split), side, background)
