"""Dynamic 2D image completion (Yoon et al. 2020, section 5.2 and appendix B.2).

A step's task is a function from the pixels of a canvas to their intensities. On the canvas lies a
picture that moves from step to step. A model sees a few pixels of each step, or none, and is asked
for others.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.loading.checks import require_at_least, require_at_most, require_one_of
from datamodules.points.benchmark import FunctionDataModule, RegimeSettings
from datamodules.points.canvas.bouncing import Bouncing
from datamodules.points.canvas.dataset import MovingPictureDataset, MovingRecipe
from datamodules.points.context_sets import Regime
from datamodules.sources import Family, Source, Split, fetch_images
from datamodules.sources.image_splits import image_splits


class MovingPictures(FunctionDataModule[MovingPictureDataset]):
    """A picture that bounces between the edges of a white canvas.

    x is the place of a pixel, first its row and then its column, from -1 to 1; y its intensity
    minus 0.5, white being 0.5; `task` the place of the picture's centre (see `canvas`). By default,
    contexts have 30 points and a step at most 51 in the sparse regime; 5 to 500 and at most 501 in
    the transfer regime.

    A benchmark says what the pictures are.
    """

    regimes: ClassVar[dict[Regime, RegimeSettings]] = {
        "sparse": RegimeSettings(50, 45, (30, 30), 51),
        "transfer": RegimeSettings(20, 10, (5, 500), 501),
    }
    x_size: ClassVar[int] = 2
    x_range: ClassVar[float] = 1.0
    family: ClassVar[Family]
    picture_size: ClassVar[int]
    """Rows, and columns, of a picture."""

    def __init__(
        self,
        data_dir: str = "data",
        source: Source = "auto",
        canvas_size: int = 42,
        speed: float = 3.0,
        velocity_noise: float = 0.1,
        eval_batch_size: int = 8,
        val_size: int = 32,
        test_size: int = 512,
        **settings: Any,
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            data_dir: folder of the real data sets; downloads go there.
            source: where pictures come from, one of the benchmark's family; `auto` takes the real
                ones if they are on disk or can be downloaded, else the embedded ones.
            canvas_size: rows, and columns, of the canvas.
            speed: pixels that the picture moves per step.
            velocity_noise: standard deviation of each step's velocity, as a share of it.
            eval_batch_size: as of `BenchmarkDataModule`; all pixels of a sequence are targets.
            val_size: as of `BenchmarkDataModule`.
            test_size: as of `BenchmarkDataModule`.
            **settings: of `FunctionDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(
            eval_batch_size=eval_batch_size, val_size=val_size, test_size=test_size, **settings
        )
        require_one_of("source", source, self.family.choices)
        require_at_least("canvas_size", canvas_size, self.picture_size + 1)
        require_at_most("most_points", self._setting("most_points"), canvas_size**2)
        require_at_least("speed", speed, 0)
        require_at_least("velocity_noise", velocity_noise, 0)
        self._source_record: dict[str, str] = {}

    @property
    def training_points(self) -> int:
        """Pixels of the canvas."""
        return self.hparams["canvas_size"] ** 2

    @property
    def canvas_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the canvas."""
        return (self.y_size, self.hparams["canvas_size"], self.hparams["canvas_size"])

    @abstractmethod
    def pictures(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What is laid on the canvas, [N, S, S, Dy], of a source's images."""

    def prepare_data(self) -> None:
        """Download what is missing; Lightning calls this in one process per machine."""
        if not self._datasets:
            fetch_images(self.hparams["source"], self.hparams["data_dir"], self.family)

    def make_datasets(self) -> dict[Split, MovingPictureDataset]:
        """Read the pictures of all splits from the source that all processes agree on."""
        hparams = self.hparams
        splits = image_splits(hparams["source"], hparams["data_dir"], self.family, self.trainer)
        self._source_record = splits.record
        return {
            split: MovingPictureDataset(
                self.recipe(split),
                self.pictures(images.images),
                hparams["seed"],
                split,
                hparams[f"{split}_size"],
            )
            for split, images in splits.images.items()
        }

    def source_record(self) -> dict[str, str]:
        """`source`, never `auto`, and `sha256` of all its images; needs `setup`."""
        return dict(self._source_record)

    def recipe(self, split: Split) -> MovingRecipe:
        """How the sequences of a split are made."""
        side = self.hparams["canvas_size"]
        room = side - self.picture_size
        motion = Bouncing(room, self.hparams["speed"], self.hparams["velocity_noise"])
        return MovingRecipe(motion, self.point_recipe(split), side)
