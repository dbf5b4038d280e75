"""A grid in the order of its file, where the first runs are those that are wanted first."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class OrderedGrid(BaseSampler):
    """Proposes the first combination that no other trial has; the last parameter varies fastest.

    What is taken is read from the study, so that it goes on after any end.

    Args:
        choices: values of each parameter, as Optuna keeps them.
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
        """Draw nothing."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a parameter's value in the first free combination that has the trial's others."""
        others = (each for each in study.get_trials(deepcopy=False) if each.number != trial.number)
        taken = {tuple(each.params.get(name) for name in self.choices) for each in others}
        place = list(self.choices).index(param_name)
        given = {list(self.choices).index(name): value for name, value in trial.params.items()}
        return next(
            combination[place]
            for combination in product(*self.choices.values())
            if combination not in taken and all(combination[i] == v for i, v in given.items())
        )
