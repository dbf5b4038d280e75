"""Bayesian optimisation: trials are proposed where results of earlier ones promise most."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lightning_modules.command_line.sweep.parameter import Choice, Parameter
from lightning_modules.command_line.sweep.sweep_file import Goal
from lightning_modules.command_line.sweep.trials import SEED, Trial, Values
from lightning_modules.command_line.usage_error import UsageError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial as Asked


def require_optuna() -> None:
    """Name the extra that it comes with.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("optuna") is None:
        raise UsageError("method: bayes needs the extra `sweep`: pip install '.[sweep]'")


class BayesianSearch:
    """Tree-structured Parzen estimators, Optuna's.

    Args:
        parameters: by setting.
        goal: ``minimize`` or ``maximize``.
        limit: number of trials.
        known: trials that were proposed before, which are proposed again first.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        goal: Goal,
        limit: int,
        known: Iterable[Trial] = (),
    ) -> None:
        # Slow to import, and an extra.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.parameters, self.limit, self.known = parameters, limit, list(known)
        self.distributions = {k: distribution(p) for k, p in parameters.items()}
        self.proposed = len(self.known)
        # The first trials are random ones: after a break, others than before.
        sampler = optuna.samplers.TPESampler(seed=SEED + self.proposed, constant_liar=True)
        self.study = optuna.create_study(sampler=sampler, direction=goal)
        self.asked: dict[int, Asked] = {}

    def propose(self) -> Trial | None:
        """One that is known from before, else a new one."""
        if self.known:
            trial = self.known.pop(0)
            self.asked[trial.number] = self._ask_for(trial.values)
            return trial
        if self.proposed >= self.limit:
            return None
        self.proposed += 1
        asked = self.asked[self.proposed] = self.study.ask(self.distributions)
        values = {key: self._value(key, code) for key, code in asked.params.items()}
        return Trial(self.proposed, values)

    def learn(self, trial: Trial, score: float | None) -> None:
        """Take a result into account."""
        from optuna.trial import TrialState

        asked = self.asked.pop(trial.number)
        if score is None:
            self.study.tell(asked, state=TrialState.FAIL)
        else:
            self.study.tell(asked, score)

    def _ask_for(self, values: Values) -> "Asked":
        self.study.enqueue_trial({key: self._code(key, value) for key, value in values.items()})
        return self.study.ask(self.distributions)

    def _value(self, key: str, code: Any) -> Any:
        parameter = self.parameters[key]
        return parameter.values[code] if isinstance(parameter, Choice) else code

    def _code(self, key: str, value: Any) -> Any:
        parameter = self.parameters[key]
        return parameter.values.index(value) if isinstance(parameter, Choice) else value


def distribution(parameter: Parameter) -> "BaseDistribution":
    """What Optuna draws from: of choices their places, since it takes no lists as values."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(parameter, Choice):
        return CategoricalDistribution(range(len(parameter.values)))
    if parameter.whole:
        return IntDistribution(int(parameter.least), int(parameter.most))
    return FloatDistribution(parameter.least, parameter.most, log=parameter.logarithmic)
