"""A grid sampler that keeps the file's order, so that the most important runs come first."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class OrderedGrid(BaseSampler):
    """Proposes the first combination without a trial; the last parameter varies fastest.

    The state is read from the study, so that a sweep can resume after any interruption.

    Args:
        choices: values of each parameter, as stored by Optuna.
    """

    def __init__(self, choices: Mapping[str, Sequence[Any]]) -> None:
        self.choices = choices

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Leave every parameter to ``sample_independent``."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample nothing jointly."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the parameter's value in the first unused combination that fits the trial."""
        others = (each for each in study.get_trials(deepcopy=False) if each.number != trial.number)
        used = {tuple(each.params.get(name) for name in self.choices) for each in others}
        index = list(self.choices).index(param_name)
        fixed = {list(self.choices).index(name): value for name, value in trial.params.items()}
        return next(
            combination[index]
            for combination in product(*self.choices.values())
            if combination not in used and all(combination[i] == v for i, v in fixed.items())
        )
