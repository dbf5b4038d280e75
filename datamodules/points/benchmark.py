"""Benchmarks of changing functions (Singh et al. 2020, sections 5.1 and 5.2).

A model sees a few points of each step's function, or none, and predicts others.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, get_args

from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from datamodules.benchmark import BenchmarkDataModule
from datamodules.loading.checks import (
    require_at_least,
    require_at_most,
    require_interval,
    require_one_of,
)
from datamodules.loading.episodes import EpisodeDataset
from datamodules.loading.stages import announcement
from datamodules.points.batch import FunctionSequences
from datamodules.points.context_sets import ContextSets, PointRecipe, Regime
from datamodules.points.curriculum import Stage, curriculum_sets
from datamodules.sources import Split

Protocol = Literal["strict", "paper"]
Functions = TypeVar("Functions", bound=EpisodeDataset[FunctionSequences])


@dataclass(frozen=True)
class RegimeSettings:
    """Settings of a regime in the paper's text (appendix B.1 and B.2)."""

    sequence_length: int
    context_steps: int
    contexts: tuple[int, int]
    most_points: int


class FunctionDataModule(BenchmarkDataModule[Functions]):
    """Sequences of functions, known at a few points.

    A benchmark defines the paper's settings of its `regimes`, the widths of its locations and
    values, and the datasets of its splits.
    """

    regimes: ClassVar[dict[Regime, RegimeSettings]]
    x_size: ClassVar[int]
    """Width Dx of a location."""
    x_range: ClassVar[float]
    """Locations range from -x_range to x_range in each dimension."""
    y_size: ClassVar[int]
    """Width Dy of a function's value."""
    patch_shape: ClassVar[tuple[int, int, int] | None] = None
    """Channels, height and width of a value, if it is a patch of an image."""
    longer_by: ClassVar[str | None] = "test_length"

    def __init__(
        self,
        regime: Regime = "sparse",
        protocol: Protocol = "strict",
        sequence_length: int | None = None,
        test_length: int | None = None,
        context_steps: int | None = None,
        contexts: tuple[int, int] | None = None,
        most_points: int | None = None,
        curriculum: list[Stage] | None = None,
        **settings: Any,
    ) -> None:
        """Check the settings; null takes the paper's value for the regime.

        Args:
            regime: "sparse": small contexts at random steps; "transfer": large contexts in the
                first steps, none after them.
            protocol: "strict", or "paper": the authors' code, where the sequences of a batch share
                n, m and their points' locations, and n and m never reach their upper ends. The
                targets of validation and test are all points in both protocols.
            sequence_length: steps of a training sequence (sparse 50, transfer 20).
            test_length: steps of a validation or test sequence (as in training).
            context_steps: training steps with a context (sparse 45, transfer 10). In sparse, longer
                test sequences have proportionally more; in transfer, equally many.
            contexts: minimum and maximum number n of context points of such a step.
            most_points: maximum number of context points and other targets, n + m; m is uniform
                from 1.
            curriculum: stages at the start of training, before the sequences of the settings
                above; each has a number of `batches`, and all of the settings above from
                `sequence_length` to `most_points` but `test_length`.
            **settings: of `BenchmarkDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_one_of(get_args(Regime), regime=regime)
        require_one_of(get_args(Protocol), protocol=protocol)
        self._check_sizes()

    def setup(self, stage: str | None = None) -> None:
        """Build every split's dataset, and announce the curriculum."""
        super().setup(stage)
        stages = self.hparams["curriculum"]
        if stage == "fit" and stages:
            steps = -1 if self.trainer is None else self.trainer.max_steps
            later = ", whatever contexts, context_steps, most_points and sequence_length say"
            rank_zero_info(announcement(stages, later, steps))

    @property
    @abstractmethod
    def training_points(self) -> int:
        """Number of points at which a training function is known."""

    @property
    def asks_for_inked_pictures(self) -> bool:
        """Whether validation and test targets are all pixels of ink on a white canvas."""
        return False

    @property
    def canvas_shape(self) -> tuple[int, int, int] | None:
        """Channels, height and width of the canvas whose pixels are the points; None without one.

        `canvas.canvas.canvas_images` makes an image of the values of all pixels in order.
        """
        return None

    def guesses(self, batch: FunctionSequences) -> dict[str, Tensor]:
        """Return values guessed without a model, by name, [B, T, M, Dy]; on the CPU.

        Empty if there are none. Needs `setup`.
        """
        return {}

    def optimal_nll(self, split: Split) -> dict[str, Tensor]:
        """Return the least possible NLL per step of a fixed set, [T] in nats, by metric.

        Empty where it is not known. Needs `setup`.
        """
        return {}

    def inferred_nll(self) -> dict[str, Tensor]:
        """Return NLL in nats with inferred kernels, and effective samples, per test step, [T].

        Empty where it is not known. Needs `setup`.
        """
        return {}

    @property
    def sequence_length(self) -> int:
        """Steps T of a training sequence."""
        return self._setting("sequence_length")

    @property
    def test_length(self) -> int:
        """Steps T of a validation or test sequence."""
        test_length = self.hparams["test_length"]
        return self.sequence_length if test_length is None else test_length

    def point_recipe(self, split: Split) -> PointRecipe:
        """Return the recipe by which a split's sequences choose their points."""
        paper, training = self.hparams["protocol"] == "paper", split == "train"
        _, devices = self._process()
        batch_size = self.hparams["eval_batch_size"]
        if training:
            batch_size = self.hparams["batch_size"] * devices
        sets = self._sets(self.sequence_length if training else self.test_length)
        stages = (self.hparams["curriculum"] or []) if training else []
        return PointRecipe(
            sets=sets,
            everything=not training,
            group_size=batch_size if paper else 1,
            stages=curriculum_sets(stages, sets, self.training_points, batch_size),
        )

    def _sets(self, steps: int) -> ContextSets:
        anywhere = self.hparams["regime"] == "sparse"
        context_steps = self._setting("context_steps")
        if anywhere:
            context_steps = round(context_steps * steps / self.sequence_length)
        return ContextSets(
            steps,
            context_steps,
            anywhere,
            self._setting("contexts"),
            self._setting("most_points"),
            closed=self.hparams["protocol"] == "strict",
        )

    def _setting(self, name: str) -> Any:
        """Return the user's value, else the paper's for the regime."""
        if self.hparams[name] is not None:
            return self.hparams[name]
        return getattr(self.regimes[self.hparams["regime"]], name)

    def _check_sizes(self) -> None:
        least, most = self._setting("contexts")
        context_steps = self._setting("context_steps")
        require_at_least(1, sequence_length=self.sequence_length, test_length=self.test_length)
        require_at_least(0, context_steps=context_steps)
        require_at_most(self.sequence_length, context_steps=context_steps)
        require_interval(1, contexts=(least, most))
        # A step has a target beside its largest context.
        require_at_least(most + 1, most_points=self._setting("most_points"))
        self.point_recipe("train")  # checks the curriculum
