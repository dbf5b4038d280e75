"""``sweep.db``: an Optuna study, which proposes trials and keeps what became of each."""

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
from lightning_modules.command_line.sweep.parameter import drawn_value
from lightning_modules.command_line.sweep.sweep_file import LASTING, SweepFile
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown

NAME = "sweep.db"
#: What kept the state before Optuna did.
FORMER = "sweep.json"
OTHER_FOLDER = "name another folder with --experiment=NAME"
#: A trial's attribute: the number of the failed one that it tries again.
AGAIN = "again"
#: A trial's attribute: its training diverged, and would do so again.
DIVERGED = "diverged"


class Proposal(NamedTuple):
    """A combination of values to train with, or one that a run was trained with before."""

    number: int  #: from 1 on, in the order of proposal
    values: Mapping[str, Any]  #: by setting
    trial: Trial | None  #: to be told of results; None if it was told them before
    ended: str | None = None  #: how it ended before, if not with all its training


class Grid(GridSampler):
    """Optuna's, which would stop a loop that is not there: trials are asked for one by one."""

    def after_trial(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: the sweep counts its runs itself."""


class SweepStudy:
    """The state of a sweep; what it is told is on disk when the method returns.

    Args:
        folder: of the runs.
        file: of the sweep.
        settings: options that hold for all runs.

    Raises:
        UsageError: the folder has another sweep, or its state cannot be read.
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
        """Yield those of before, unfinished ones first, then new ones, each when its turn comes.

        Args:
            total: number of runs.
        """
        for _ in self.study.get_trials(states=[TrialState.WAITING]):
            # A kill came before it could begin.
            self.fail(self.study.ask())
        latest: dict[int, FrozenTrial] = {}
        for trial in self.study.get_trials():
            latest[trial.user_attrs.get(AGAIN, trial.number)] = trial
        known = list(zip(range(1, total + 1), latest.items(), strict=False))
        known.sort(key=lambda item: item[1][1].state is not TrialState.RUNNING)
        for number, (first, trial) in known:
            yield self._known(number, first, trial)
        for number in range(len(latest) + 1, total + 1):
            # A seed for each: a sweep that goes on draws what it would have drawn.
            self.study.sampler = _sampler(self.file, seed=number)
            new = self.study.ask()
            yield Proposal(number, self._values(new), new)

    def report(self, trial: Trial, values: Sequence[float]) -> bool:
        """Report validations that are new; whether the run is among the worse ones.

        Args:
            trial: of the run.
            values: all that it has logged of the metric.
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
        """Note that a run is given up."""
        self.study.tell(trial, state=TrialState.PRUNED)

    def diverge(self, trial: Trial) -> None:
        """Note that a run diverged: a search takes it for the worst, as it does pruned ones."""
        trial.set_user_attr(DIVERGED, True)
        self.prune(trial)

    def complete(self, trial: Trial, values: Sequence[float]) -> None:
        """Note that a run is trained: its score is the last value, and none is worse than no score.

        Args:
            trial: of the run.
            values: all that it has logged of the metric.
        """
        while self.report(trial, values):
            # Too late to give it up; others are judged by it.
            continue
        score = values[-1] if values and isfinite(values[-1]) else self._worst
        self.study.tell(trial, score)

    def fail(self, trial: Trial) -> None:
        """Note that a run failed; one that is trained stays so, whatever became of its test."""
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _require_same(self, folder: Path, asked: Mapping[str, str]) -> None:
        """Runs are comparable, and found by their names, only if nothing has changed."""
        for key, value in asked.items():
            before = self.study.user_attrs.get(key)
            if before is None:
                self.study.set_user_attr(key, value)
            elif before != value:
                raise UsageError(
                    f"{shown(folder)} was started with other {key}: {before or 'none'}\n"
                    f"repeat them, or {OTHER_FOLDER}"
                )

    def _known(self, number: int, first: int, trial: FrozenTrial) -> Proposal:
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            lost = "diverged" if trial.user_attrs.get(DIVERGED) else "pruned"
            ended = lost if trial.state is TrialState.PRUNED else None
            return Proposal(number, self._values(trial), None, ended)
        self.study.sampler = _sampler(self.file, seed=number)
        if trial.state is TrialState.FAIL:
            params = self.study.get_trials()[first].params
            self.study.enqueue_trial(params, user_attrs={AGAIN: first})
            going = self.study.ask()
        else:
            # Optuna has no public way to take up what a killed process has left.
            going = Trial(self.study, trial._trial_id)
            self._reported[trial.number] = len(trial.intermediate_values)
        return Proposal(number, self._values(going), going)

    def _values(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        parameters = self.file.parameters.items()
        return {key: drawn_value(trial, key, parameter) for key, parameter in parameters}


def require_own(folder: Path) -> None:
    """Make a sweep's folder.

    Raises:
        UsageError: it is something else's.
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
    """A database in a file, opened by its path: in a URL, signs in a folder's name would count."""
    engine = {"creator": partial(sqlite3.connect, path), "poolclass": NullPool}
    return RDBStorage("sqlite://", engine_kwargs=engine)


def _lasting(file: SweepFile) -> dict[str, str]:
    """What the file says of all that cannot change, as text that keeps the parameters' order."""
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
        # Runs that are going count as bad ones, so that two jobs do not try the same.
        return TPESampler(seed=seed, constant_liar=True)


def _pruner(file: SweepFile) -> BasePruner:
    """Successive halving: W&B's Hyperband has one row of rungs, Optuna's has several."""
    rules = file.early_termination
    if rules is None:
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=rules.first, reduction_factor=rules.eta)
