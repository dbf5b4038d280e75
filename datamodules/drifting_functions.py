"""Dynamic 1D regression (Singh et al. 2020, section 5.1 and appendix B.1).

A step's task is a function of one variable, drawn from a Gaussian process whose length scale and
scale drift from step to step. A model sees a few points of each function, or none, and is asked for
others.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from datamodules.benchmark_datamodule import SPLITS, BenchmarkDataModule
from datamodules.context_sets import ContextSets, Regime
from datamodules.function_dataset import FunctionDataset, Recipe
from datamodules.kernel_drift import FLOOR, DriftNoise, KernelDrift
from datamodules.settings import (
    require_at_least,
    require_at_most,
    require_interval,
    require_one_of,
)
from datamodules.sources import Split

Protocol = Literal["strict", "paper"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class RegimeSettings:
    """What the paper's text says of a regime (appendix B.1)."""

    sequence_length: int
    context_steps: int
    contexts: tuple[int, int]
    most_points: int
    length_scale: Interval
    scale: Interval


REGIMES: dict[Regime, RegimeSettings] = {
    "sparse": RegimeSettings(50, 45, (1, 1), 11, (0.7, 1.2), (1.0, 1.6)),
    "transfer": RegimeSettings(20, 10, (5, 50), 51, (1.2, 1.9), (1.6, 3.1)),
}
#: The authors' code gives each regime the kernels that the text gives the other.
OTHER: dict[Regime, Regime] = {"sparse": "transfer", "transfer": "sparse"}


class DriftingFunctions(BenchmarkDataModule[FunctionDataset]):
    """Functions of one variable; `task` is the length scale and the scale of each step's kernel."""

    def __init__(
        self,
        regime: Regime = "sparse",
        protocol: Protocol = "strict",
        sequence_length: int | None = None,
        test_length: int | None = None,
        context_steps: int | None = None,
        contexts: tuple[int, int] | None = None,
        most_points: int | None = None,
        length_scale: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        velocities: tuple[float, float] = (0.03, 0.05),
        drift_noise: DriftNoise = "multiplicative",
        train_points: int = 100,
        test_points: int = 400,
        batch_size: int = 16,
        val_size: int = 128,
        test_size: int = 512,
        **settings: Any,
    ) -> None:
        """Check the settings; null takes what the paper says of the regime (in parentheses).

        Args:
            regime: "sparse": hardly any context, at random steps; "transfer": large contexts in the
                first steps, none after them.
            protocol: "strict", or "paper": the authors' code, where kernels are those of the other
                regime, the sequences of a batch share n and m, which never reach their upper ends,
                test targets are drawn as in training, and l and s of validation and test sequences
                are drawn with the same random numbers.
            sequence_length: steps of a training sequence (sparse 50, transfer 20).
            test_length: steps of a validation or test sequence (as in training).
            context_steps: training steps with a context (sparse 45, transfer 10). In sparse, longer
                test sequences have proportionally more; in transfer, equally many.
            contexts: fewest and most context points n of such a step (sparse 1, transfer 5 to 50).
            most_points: most context points and other targets, n + m, of a step; m is uniform from
                1 (sparse 11, transfer 51).
            length_scale: range of l in the first step (sparse 0.7 to 1.2, transfer 1.2 to 1.9).
            scale: range of s in the first step (sparse 1.0 to 1.6, transfer 1.6 to 3.1).
            velocities: largest change of l and of s per step.
            drift_noise: "multiplicative": 10% of the velocity in each step, as in the code;
                "additive": 0.1 in each step, as in the text.
            train_points: points of the grid on [-4, 4) in training.
            test_points: points of the grid in validation and test.
            batch_size: as of `BenchmarkDataModule`, with the paper's value.
            val_size: as of `BenchmarkDataModule`; a sequence is long and its targets are many.
            test_size: as of `BenchmarkDataModule`.
            **settings: of `BenchmarkDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(batch_size, val_size=val_size, test_size=test_size, **settings)
        require_one_of("regime", regime, get_args(Regime))
        require_one_of("protocol", protocol, get_args(Protocol))
        require_one_of("drift_noise", drift_noise, get_args(DriftNoise))
        self._check_sizes()
        for name in ("length_scale", "scale"):
            require_interval(name, self._setting(name), FLOOR)
        require_at_least("velocities", min(velocities), 0)

    @property
    def sequence_length(self) -> int:
        """Steps T of a training sequence."""
        return self._setting("sequence_length")

    @property
    def test_length(self) -> int:
        """Steps T of a validation or test sequence."""
        return self.hparams["test_length"] or self.sequence_length

    @property
    def x_size(self) -> int:
        """Width Dx of a place."""
        return 1

    @property
    def y_size(self) -> int:
        """Width Dy of a function's value."""
        return 1

    def make_datasets(self) -> dict[Split, FunctionDataset]:
        """What generates the sequences of every split."""
        seed = self.hparams["seed"]
        return {
            split: FunctionDataset(self.recipe(split), seed, split, self.hparams[f"{split}_size"])
            for split in SPLITS
        }

    def source_record(self) -> dict[str, str]:
        """Where the functions come from; `reflected`: share of test sequences that touch the floor.

        The floor is `kernel_drift.FLOOR`, below which neither l nor s goes.
        """
        share = self.dataset("test").reflected_share()
        return {"source": "generated", "reflected": f"{share:.3f}"}

    def recipe(self, split: Split) -> Recipe:
        """How the sequences of a split are made."""
        paper, training = self.hparams["protocol"] == "paper", split == "train"
        return Recipe(
            drift=self._drift(tied=paper and not training),
            sets=self._sets(self.sequence_length if training else self.test_length),
            points=self.hparams["train_points" if training else "test_points"],
            everything=not paper and not training,
            same_size=self.hparams["batch_size" if training else "eval_batch_size"] if paper else 1,
        )

    def _drift(self, tied: bool) -> KernelDrift:
        return KernelDrift(
            self._setting("length_scale"),
            self._setting("scale"),
            self.hparams["velocities"],
            self.hparams["drift_noise"],
            tied,
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
        """What the user says, else what the paper says of the regime."""
        if self.hparams[name] is not None:
            return self.hparams[name]
        regime: Regime = self.hparams["regime"]
        kernels = name in ("length_scale", "scale") and self.hparams["protocol"] == "paper"
        return getattr(REGIMES[OTHER[regime] if kernels else regime], name)

    def _check_sizes(self) -> None:
        least, most = self._setting("contexts")
        require_at_least("sequence_length", self.sequence_length, 1)
        require_at_least("test_length", self.test_length, 1)
        require_at_least("context_steps", self._setting("context_steps"), 0)
        require_at_most("context_steps", self._setting("context_steps"), self.sequence_length)
        require_interval("contexts", (least, most), 1)
        require_at_least("most_points", self._setting("most_points"), most + 1)
        for name in ("train_points", "test_points"):
            require_at_least(name, self.hparams[name], self._setting("most_points"))
