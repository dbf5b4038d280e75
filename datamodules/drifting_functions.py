"""Dynamic 1D regression (Singh et al. 2020, section 5.1 and appendix B.1).

A step's task is a function of one variable, drawn from a Gaussian process whose length scale and
scale drift from step to step. A model sees a few points of each function, or none, and predicts
others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from torch import Tensor

from datamodules.loading.checks import (
    require_at_least,
    require_at_most,
    require_interval,
    require_one_of,
)
from datamodules.points.benchmark import FunctionDataModule, RegimeSettings
from datamodules.points.context_sets import Regime
from datamodules.points.gaussian_process.dataset import FunctionDataset, Recipe
from datamodules.points.gaussian_process.inferred_nll import (
    Inference,
    InferredNLL,
    inferred_nll,
    keep_inferred_nll,
)
from datamodules.points.gaussian_process.kernel_drift import FLOOR, DriftNoise, KernelDrift
from datamodules.points.gaussian_process.optimal_nll import optimal_nll
from datamodules.sources import SPLITS, Split

Interval = tuple[float, float]
Kernels = Literal["text", "code"]


@dataclass(frozen=True)
class KernelSettings:
    """Initial ranges of a regime's kernels in the paper's text (appendix B.1)."""

    length_scale: Interval
    scale: Interval


KERNELS: dict[Regime, KernelSettings] = {
    "sparse": KernelSettings((0.7, 1.2), (1.0, 1.6)),
    "transfer": KernelSettings((1.2, 1.9), (1.6, 3.1)),
}
#: The authors' code swaps the kernels of the two regimes.
OTHER: dict[Regime, Regime] = {"sparse": "transfer", "transfer": "sparse"}


class DriftingFunctions(FunctionDataModule[FunctionDataset]):
    """Functions of one variable that change from step to step, as do their kernels.

    `task` is the length scale and the scale of each step's kernel.

    By default, contexts have 1 point and a step at most 11 in the sparse regime; 5 to 50 and at
    most 51 in the transfer regime. The `paper` protocol has two more quirks: kernels are those of
    the authors' `code`, unless `kernels` says otherwise, and l and s of validation and test
    sequences, and their velocities, are drawn with the same random numbers.
    """

    regimes: ClassVar[dict[Regime, RegimeSettings]] = {
        "sparse": RegimeSettings(50, 45, (1, 1), 11),
        "transfer": RegimeSettings(20, 10, (5, 50), 51),
    }
    x_size: ClassVar[int] = 1
    x_range: ClassVar[float] = 4.0
    y_size: ClassVar[int] = 1
    has_kernels_to_infer: ClassVar[bool] = True

    def __init__(
        self,
        data_dir: str = "data",
        kernels: Kernels | None = None,
        length_scale: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        velocities: tuple[float, float] = (0.03, 0.05),
        drift_noise: DriftNoise = "multiplicative",
        train_points: int = 100,
        test_points: int = 400,
        batch_size: int = 16,
        eval_batch_size: int = 16,
        val_size: int = 128,
        test_size: int = 512,
        **settings: Any,
    ) -> None:
        """Check the settings; null takes the paper's value for the regime (in parentheses).

        Args:
            data_dir: folder that stores the optimal NLL of fixed sets.
            kernels: ranges of l and s of a regime: those of appendix B.1, "text", or the
                other regime's, as in the authors' "code"; null: "code" in the `paper` protocol.
            length_scale: range of l in the first step (text: sparse 0.7 to 1.2, transfer 1.2 to
                1.9); it overrides `kernels`, as does `scale`.
            scale: range of s in the first step (text: sparse 1.0 to 1.6, transfer 1.6 to 3.1).
            velocities: largest change of l and of s per step.
            drift_noise: "multiplicative": 10% of the velocity in each step, as in the code;
                "additive": 0.1 in each step, as in the text.
            train_points: points of the grid on [-4, 4) in training.
            test_points: points of the grid in validation and test.
            batch_size: as in `BenchmarkDataModule`, with the paper's value.
            eval_batch_size: as in `BenchmarkDataModule`; all points of a sequence are targets.
            val_size: as in `BenchmarkDataModule`; sequences are long and have many targets.
            test_size: as in `BenchmarkDataModule`.
            **settings: of `FunctionDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            val_size=val_size,
            test_size=test_size,
            **settings,
        )
        require_one_of(get_args(DriftNoise), drift_noise=drift_noise)
        self._check_kernels(kernels, velocities)
        self._check_grids(train_points, test_points)
        self._optima: dict[Split, dict[str, Tensor]] = {}

    @property
    def training_points(self) -> int:
        """Number of grid points in training."""
        return self.hparams["train_points"]

    def make_datasets(self) -> dict[Split, FunctionDataset]:
        """Build the datasets of all splits."""
        seed = self.hparams["seed"]
        return {
            split: FunctionDataset(self.recipe(split), seed, split, self.hparams[f"{split}_size"])
            for split in SPLITS
        }

    def source_record(self) -> dict[str, str]:
        """Name the source; `reflected` is the share of test sequences that touch the floor.

        The floor is `kernel_drift.FLOOR`, below which neither l nor s goes.
        """
        share = self.dataset("test").reflected_share()
        return {"source": "generated", "reflected": f"{share:.3f}"}

    def optimal_nll(self, split: Split) -> dict[str, Tensor]:
        """Return the oracle's mean NLL per step, [T] in nats; it knows the kernels.

        There is one curve per group of steps and targets in `optimal_nll.py`. It takes a minute or
        two for the default test set and a quarter of that for validation; then it is kept in
        `data_dir`. Needs `setup`.
        """
        if split not in self._optima:
            self._optima[split] = self._broadcast(
                lambda: optimal_nll(self.dataset(split), self._cache_file(split))
            )
        return self._optima[split]

    def inferred_nll(self) -> dict[str, Tensor]:
        """Return the mean NLL of each test step, with kernels inferred from the contexts.

        Empty before `infer_nll`, or if that found no bound. See
        `datamodules.points.gaussian_process.inferred_nll`. Needs `setup`.
        """
        return self._broadcast(lambda: inferred_nll(self._cache_file("test", ".inferred")))

    def infer_nll(self, inference: Inference) -> InferredNLL:
        """Compute, in minutes, what `inferred_nll` returns from then on if it is a bound.

        Args:
            inference: numbers of particles, sequences and targets.

        Returns:
            The means and their reliability. Needs `setup`.
        """
        optimal = self.optimal_nll("test")["nll"]
        kept = self._cache_file("test", ".inferred")
        return keep_inferred_nll(self.dataset("test"), inference, optimal, kept)

    def _broadcast(self, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Compute a result in the first process, and return it in every process."""
        rank, _ = self._process()
        result = compute() if rank == 0 else {}
        return result if self.trainer is None else self.trainer.strategy.broadcast(result)

    def _cache_file(self, split: Split, kind: str = "") -> Path:
        name = f"{self.sha256(split)[:16]}{kind}.json"
        return Path(self.hparams["data_dir"]) / "optimal_nll" / name

    def recipe(self, split: Split) -> Recipe:
        """Return the recipe for a split's sequences."""
        paper, training = self.hparams["protocol"] == "paper", split == "train"
        return Recipe(
            drift=self._drift(tied=paper and not training),
            points=self.point_recipe(split),
            grid=self.hparams["train_points" if training else "test_points"],
        )

    def _drift(self, tied: bool) -> KernelDrift:
        return KernelDrift(
            self._start("length_scale"),
            self._start("scale"),
            self.hparams["velocities"],
            self.hparams["drift_noise"],
            tied,
        )

    def _check_kernels(self, kernels: Kernels | None, velocities: tuple[float, float]) -> None:
        if kernels is not None:
            require_one_of(get_args(Kernels), kernels=kernels)
        require_interval(FLOOR, length_scale=self._start("length_scale"))
        require_interval(FLOOR, scale=self._start("scale"))
        for velocity in velocities:
            require_at_least(0, velocities=velocity)

    def _check_grids(self, train_points: int, test_points: int) -> None:
        # If the user limits the points of a step, the message names that limit, else the grid.
        if self.hparams["most_points"] is not None:
            most = min(train_points, test_points)
            require_at_most(most, most_points=self.hparams["most_points"])
        most = self._setting("most_points")
        require_at_least(most, train_points=train_points, test_points=test_points)

    def _start(self, name: str) -> Interval:
        """Return the initial range of l or s: the user's, else the paper's for the regime."""
        if self.hparams[name] is not None:
            return self.hparams[name]
        regime: Regime = self.hparams["regime"]
        code = self.hparams["kernels"] == "code"
        if self.hparams["kernels"] is None:
            code = self.hparams["protocol"] == "paper"
        return getattr(KERNELS[OTHER[regime] if code else regime], name)
