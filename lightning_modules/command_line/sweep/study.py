"""``sweep.db``: an Optuna study that proposes trials and stores their outcomes."""

import json
import sqlite3
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from lightning_modules.command_line.sweep.ordered_grid import OrderedGrid
from lightning_modules.command_line.sweep.parameter import suggested_value
from lightning_modules.command_line.sweep.sweep_file import LASTING, SweepFile
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown

NAME = "sweep.db"
#: The state's file in versions before Optuna.
FORMER = "sweep.json"
OTHER_FOLDER = "name another folder with --experiment=NAME"
#: Trial attribute: number of the failed trial that it retries.
AGAIN = "again"
#: Trial attribute: its training diverged, and would again.
DIVERGED = "diverged"


class Proposal(NamedTuple):
    """A combination of values, for a new run or from an earlier one."""

    number: int  #: counts from 1 in the order of proposal
    values: Mapping[str, Any]  #: by setting
    trial: Trial | None  #: receives results; None if it already has them
    ended: str | None = None  #: how it ended earlier, if not fully trained


class Grid(GridSampler):
    """Optuna's grid, without stopping ``study.optimize``, which is not used here."""

    def after_trial(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the sweep counts its runs itself."""


class SweepStudy:
    """The state of a sweep; every update is on disk when its method returns.

    Args:
        folder: folder of the runs.
        file: the sweep's file.
        settings: options for all runs.

    Raises:
        UsageError: the folder belongs to another sweep, or its state cannot be read.
    """

    def __init__(self, folder: Path, file: SweepFile, settings: Sequence[str] = ()) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.file = file
        self._worst = -inf if file.metric and file.metric.goal == "maximize" else inf
        self._reported: Counter[int] = Counter()
        try:
            self.study = optuna.create_study(
                storage=_storage(folder / NAME),
                study_name="sweep",
                direction=file.metric.goal if file.metric else None,
                pruner=_pruner(file),
                load_if_exists=True,
            )
            self._require_same(folder, {"settings": " ".join(settings)} | _lasting(file))
        except (SQLAlchemyError, StorageInternalError, RuntimeError) as failure:
            reason = str(failure).splitlines()[0]
            raise UsageError(
                f"cannot read {shown(folder / NAME)}: {reason}; {OTHER_FOLDER}"
            ) from failure

    def proposals(self, total: int) -> Iterator[Proposal]:
        """Yield earlier trials, unfinished ones first, then new ones, created lazily.

        Args:
            total: number of runs.
        """
        for _ in self.study.get_trials(states=[TrialState.WAITING]):
            # Killed before it could start.
            self.fail(self.study.ask())
        latest: dict[int, FrozenTrial] = {}
        for trial in self.study.get_trials():
            latest[trial.user_attrs.get(AGAIN, trial.number)] = trial
        earlier = list(zip(range(1, total + 1), latest.items(), strict=False))
        earlier.sort(key=lambda item: item[1][1].state is not TrialState.RUNNING)
        for number, (first, trial) in earlier:
            yield self._earlier(number, first, trial)
        for number in range(len(latest) + 1, total + 1):
            # One seed per trial, so that a resumed sweep samples what it would have sampled.
            self.study.sampler = _sampler(self.file, seed=number)
            new = self.study.ask()
            yield Proposal(number, self._values(new), new)

    def report(self, trial: Trial, values: Sequence[float]) -> bool:
        """Report new validations, and return whether the run should be pruned.

        Args:
            trial: the run's trial.
            values: all values of the metric that it has logged.
        """
        rules = self.file.early_termination
        if rules is None:
            return False
        for step in range(self._reported[trial.number], len(values[: rules.end])):
            self._reported[trial.number] += 1
            trial.report(values[step], step)
            if trial.should_prune():
                return True
        return False

    def prune(self, trial: Trial) -> None:
        """Record that a run was pruned."""
        self.study.tell(trial, state=TrialState.PRUNED)

    def diverge(self, trial: Trial) -> None:
        """Record that a run diverged; a search treats it like pruned ones, as the worst."""
        trial.set_user_attr(DIVERGED, True)
        self.prune(trial)

    def complete(self, trial: Trial, values: Sequence[float]) -> None:
        """Record that a run is trained; its score is the last value, or the worst if there is none.

        Args:
            trial: the run's trial.
            values: all values of the metric that it has logged.
        """
        while self.report(trial, values):
            # Too late to prune it, but others are judged by its values.
            continue
        score = values[-1] if values and isfinite(values[-1]) else self._worst
        self.study.tell(trial, score)

    def fail(self, trial: Trial) -> None:
        """Record that a run failed; a trained run stays complete even if its test failed."""
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _require_same(self, folder: Path, contents: Mapping[str, str]) -> None:
        """Reject changed settings: runs would not be comparable, or found by their names."""
        for key, value in contents.items():
            before = self.study.user_attrs.get(key)
            if before is None:
                self.study.set_user_attr(key, value)
            elif before != value:
                raise UsageError(
                    f"{shown(folder)} was started with other {key}: {before or 'none'}\n"
                    f"repeat them, or {OTHER_FOLDER}"
                )

    def _earlier(self, number: int, first: int, trial: FrozenTrial) -> Proposal:
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            lost = "diverged" if trial.user_attrs.get(DIVERGED) else "pruned"
            ended = lost if trial.state is TrialState.PRUNED else None
            return Proposal(number, self._values(trial), None, ended)
        self.study.sampler = _sampler(self.file, seed=number)
        if trial.state is TrialState.FAIL:
            params = self.study.get_trials()[first].params
            self.study.enqueue_trial(params, user_attrs={AGAIN: first})
            resumed = self.study.ask()
        else:
            # Optuna has no public way to resume a trial left by a killed process.
            resumed = Trial(self.study, trial._trial_id)
            self._reported[trial.number] = len(trial.intermediate_values)
        return Proposal(number, self._values(resumed), resumed)

    def _values(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        parameters = self.file.parameters.items()
        return {key: suggested_value(trial, key, parameter) for key, parameter in parameters}


def require_own(folder: Path) -> None:
    """Create a sweep's folder.

    Raises:
        UsageError: the folder has other content.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / NAME).exists() or not any(folder.iterdir()):
            return
    except OSError as failure:
        raise UsageError(f"cannot use {shown(folder)}: {failure.strerror}") from failure
    if (folder / FORMER).exists():
        raise UsageError(
            f"{shown(folder / FORMER)} is from an earlier version, whose sweeps cannot go on; "
            f"{OTHER_FOLDER} (`compare` still reads finished runs)"
        )
    raise UsageError(f"{shown(folder)} has runs that are not a sweep's; {OTHER_FOLDER}")


def _storage(path: Path) -> RDBStorage:
    """Open a database by its path, since special characters would change the meaning of a URL."""
    engine = {"creator": partial(sqlite3.connect, path), "poolclass": NullPool}
    return RDBStorage("sqlite://", engine_kwargs=engine)


def _lasting(file: SweepFile) -> dict[str, str]:
    """Return the content that must not change, as JSON that keeps the parameters' order."""
    return {key: json.dumps(file.content.get(key), default=str) for key in LASTING}


def _sampler(file: SweepFile, seed: int) -> BaseSampler:
    if file.method == "grid":
        choices = {
            key: parameter.choices
            for key, parameter in file.parameters.items()
            if isinstance(parameter, CategoricalDistribution)
        }
        return OrderedGrid(choices) if file.in_order else Grid(choices, seed=0)
    if file.method == "random":
        return RandomSampler(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # Unfinished runs count as bad ones, so that parallel jobs do not try the same values.
        return TPESampler(seed=seed, constant_liar=True)


def _pruner(file: SweepFile) -> BasePruner:
    """Return the pruner: successive halving, since W&B's Hyperband has a single bracket."""
    rules = file.early_termination
    if rules is None:
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=rules.first, reduction_factor=rules.eta)
