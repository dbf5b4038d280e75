"""The contract of a benchmark whose sequences are frames."""

from typing import ClassVar, Generic, TypeVar

from datamodules.benchmark import BenchmarkDataModule
from datamodules.frames.batch import FrameSequences
from datamodules.frames.classifier import Classifier
from datamodules.loading.episodes import EpisodeDataset

Sequences = TypeVar("Sequences", bound=EpisodeDataset[FrameSequences])


class SequenceDataModule(BenchmarkDataModule[Sequences], Generic[Sequences]):
    """Sequences of frames.

    A benchmark defines the length of its sequences and the datasets of its splits, and overrides
    the properties below where it differs.
    """

    action_names: ClassVar[tuple[str, ...]] = ()
    """Names of the A actions, one of which leads to each step; empty if actions are numbers or
    there are none."""

    returns: ClassVar[bool] = False
    """Whether frames are views of a place to which a camera returns."""

    @property
    def action_size(self) -> int:
        """Width A of the actions; 0 without actions."""
        return len(self.action_names)

    @property
    def grid(self) -> int | None:
        """Cells along a side of the maze; None without a maze.

        If it is a number, `place` is row * grid + column, and actions are moves.
        """
        return None

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a frame."""
        return (1, 28, 28)

    @property
    def prefix_length(self) -> int:
        """Number of frames given to a model before it generates the rest; here, half of them."""
        return self.sequence_length // 2

    @property
    def classifier(self) -> Classifier | None:
        """Classifier of generated frames if only a class is recalled; else None."""
        return None

    @property
    def picture_classifier(self) -> Classifier | None:
        """Classifier of any frame if training shows the test's classes; else None."""
        return None
