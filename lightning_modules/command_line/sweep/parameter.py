"""A sweep's parameters: what a file in W&B's format says of them, as Optuna's distributions."""

import json
import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from lightning_modules.command_line.sweep.checks import one_of, require_known
from lightning_modules.command_line.usage_error import UsageError

#: The settings that say where each distribution's values come from.
DISTRIBUTIONS = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
}
SETTINGS = ("value", "values", "min", "max", "distribution")


def read_parameter(key: str, content: Any) -> BaseDistribution:
    """Read a parameter's part of a sweep's file.

    Choices become JSON text: Optuna takes no lists, and takes 1 and true for the same.

    Args:
        key: its name in the file, for complaints.
        content: what the file says of it.

    Raises:
        UsageError: it says nothing that can be drawn from.
    """
    if not isinstance(content, Mapping):
        raise UsageError(f"{key} must have values, value, or min and max, got {content}")
    require_known(content, SETTINGS, f"{key}.")
    named = content.get("distribution", _inferred(content))
    distribution = one_of(f"{key}.distribution", named, DISTRIBUTIONS)
    for name in DISTRIBUTIONS[distribution]:
        if name not in content:
            raise UsageError(f"{key}.{name}: is missing; {distribution} needs it")
    if distribution == "constant":
        return CategoricalDistribution([json.dumps(content["value"])])
    if distribution == "categorical":
        return _choice(f"{key}.values", content["values"])
    return _interval(key, content["min"], content["max"], distribution)


def examples(distribution: BaseDistribution) -> list[Any]:
    """All choices, or both ends of an interval."""
    if isinstance(distribution, CategoricalDistribution):
        return [json.loads(str(choice)) for choice in distribution.choices]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def drawn_value(trial: BaseTrial, key: str, distribution: BaseDistribution) -> Any:
    """A trial's value, drawn now unless it has one."""
    if isinstance(distribution, CategoricalDistribution):
        return json.loads(str(trial.suggest_categorical(key, distribution.choices)))
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _inferred(content: Mapping[str, Any]) -> str:
    """The distribution of a parameter that names none, as W&B understands it."""
    if "value" in content:
        return "constant"
    if "values" in content:
        return "categorical"
    ends = (content.get("min"), content.get("max"))
    return "int_uniform" if all(type(end) is int for end in ends) else "uniform"


def _choice(key: str, values: Any) -> CategoricalDistribution:
    if not isinstance(values, list) or not values:
        raise UsageError(f"{key} must be a list of at least one value, got {values}")
    texts = [json.dumps(value) for value in values]
    for index, text in enumerate(texts):
        if text in texts[:index]:
            raise UsageError(f"{key}: {values[index]} is there twice")
    return CategoricalDistribution(texts)


def _interval(key: str, least: Any, most: Any, distribution: str) -> BaseDistribution:
    for name, end in {"min": least, "max": most}.items():
        if not is_number(end):
            # YAML takes 1e-3 for text.
            hint = "; a number with an exponent needs a point, 1.0e-3" if "e" in str(end) else ""
            raise UsageError(f"{key}.{name} must be a number, got {end}{hint}")
    if not least < most:
        raise UsageError(f"{key}.max must be above its min {least}, got {most}")
    logarithmic = distribution == "log_uniform_values"
    if logarithmic and least <= 0:
        raise UsageError(f"{key}.min must be above 0 for {distribution}, got {least}")
    if distribution != "int_uniform":
        return FloatDistribution(least, most, log=logarithmic)
    if not all(type(end) is int for end in (least, most)):
        raise UsageError(f"{key}.min and max must be whole numbers, got {least} and {most}")
    return IntDistribution(least, most)
