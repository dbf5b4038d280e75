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
from lightning_modules.command_line.sweep.transformed import (
    Transformed,
    log_normal,
    normal,
    quantised,
    weighted,
)
from lightning_modules.command_line.usage_error import UsageError

#: The settings that say where each distribution's values come from, and those that have defaults.
NEEDED: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    # The same: the logarithm of 1 / x is uniform where that of x is.
    "inv_log_uniform_values": ("min", "max"),
    "normal": (),
    "log_normal": (),
}
OPTIONAL = {
    "categorical": ("probabilities",),
    "normal": ("mu", "sigma"),
    "log_normal": ("mu", "sigma"),
}
#: Before the name of a distribution whose values are rounded to multiples of `q`.
ROUNDED = "q_"
DISTRIBUTIONS = (
    *NEEDED,
    *(f"{ROUNDED}{name}" for name in ("uniform", "log_uniform_values", "normal", "log_normal")),
)
#: W&B's former names, whose ends are exponents, and what is meant by values instead.
OF_EXPONENTS = ("log_uniform", "q_log_uniform", "inv_log_uniform")
SETTINGS = ("value", "values", "probabilities", "min", "max", "mu", "sigma", "q", "distribution")


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
    if named in OF_EXPONENTS:
        raise UsageError(f"{key}.distribution: {_by_values(named, content)}")
    distribution = one_of(f"{key}.distribution", named, DISTRIBUTIONS)
    base = distribution.removeprefix(ROUNDED)
    for name in NEEDED[base]:
        if name not in content:
            raise UsageError(f"{key}.{name}: is missing; {distribution} needs it")
    q = ("q",) if distribution.startswith(ROUNDED) else ()
    valid = (*NEEDED[base], *OPTIONAL.get(base, ()), *q)
    for name in content:
        if name not in (*valid, "distribution"):
            raise UsageError(f"{key}.{name}: {distribution} has {', '.join(valid)}")
    drawn = _unrounded(key, content, base)
    if not q:
        return drawn
    assert isinstance(drawn, FloatDistribution)
    return quantised(drawn, _number(f"{key}.q", content.get("q", 1), above=0))


def examples(distribution: BaseDistribution) -> list[Any]:
    """All choices, or both ends of an interval, of 95% of it where it has none."""
    if isinstance(distribution, CategoricalDistribution):
        return [json.loads(str(choice)) for choice in distribution.choices]
    if isinstance(distribution, Transformed):
        return [distribution.make(number) for number in distribution.typical]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def drawn_value(trial: BaseTrial, key: str, distribution: BaseDistribution) -> Any:
    """A trial's value, drawn now unless it has one."""
    if isinstance(distribution, CategoricalDistribution):
        return json.loads(str(trial.suggest_categorical(key, distribution.choices)))
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    drawn = trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
    return distribution.make(drawn) if isinstance(distribution, Transformed) else drawn


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


def _by_values(named: str, content: Mapping[str, Any]) -> str:
    """Say how a distribution by exponents is written by its values."""
    least: Any = content.get("min")
    most: Any = content.get("max")
    values = ["exp(min)", "exp(max)"]
    if is_number(least) and is_number(most):
        # The one of 1 / x has them the other way round.
        ends = (-most, -least) if "inv" in named else (least, most)
        values = [f"{math.exp(x):.4g}" if abs(x) < 700 else f"e^{x}" for x in ends]
    return (
        f"{named} takes min and max as exponents of e; use {named}_values, which takes values: "
        f"min {values[0]}, max {values[1]}"
    )


def _unrounded(key: str, content: Mapping[str, Any], distribution: str) -> BaseDistribution:
    if distribution == "constant":
        return CategoricalDistribution([json.dumps(content["value"])])
    if distribution == "categorical":
        choice = _choice(f"{key}.values", content["values"])
        if "probabilities" not in content:
            return choice
        given = content["probabilities"]
        return weighted(content["values"], _probabilities(key, given, len(choice.choices)))
    if distribution in ("normal", "log_normal"):
        mu = _number(f"{key}.mu", content.get("mu", 0.0))
        sigma = _number(f"{key}.sigma", content.get("sigma", 1.0), above=0)
        return normal(mu, sigma) if distribution == "normal" else log_normal(mu, sigma)
    return _interval(key, content["min"], content["max"], distribution)


def _probabilities(key: str, given: Any, number: int) -> list[float]:
    good = isinstance(given, list) and len(given) == number
    if not good or not all(is_number(p) and p >= 0 for p in given) or not 0.99 < sum(given) < 1.01:
        raise UsageError(
            f"{key}.probabilities must be {number} numbers that add up to 1, got {given}"
        )
    return [float(p) for p in given]


def _choice(key: str, values: Any) -> CategoricalDistribution:
    if not isinstance(values, list) or not values:
        raise UsageError(f"{key} must be a list of at least one value, got {values}")
    texts = [json.dumps(value) for value in values]
    for index, text in enumerate(texts):
        if text in texts[:index]:
            raise UsageError(f"{key}: {values[index]} is given twice")
    return CategoricalDistribution(texts)


def _interval(key: str, least: Any, most: Any, distribution: str) -> BaseDistribution:
    for name, end in {"min": least, "max": most}.items():
        _number(f"{key}.{name}", end)
    if not least < most:
        raise UsageError(f"{key}.max must be above its min {least}, got {most}")
    logarithmic = "log_" in distribution
    if logarithmic and least <= 0:
        raise UsageError(f"{key}.min must be above 0 for {distribution}, got {least}")
    if distribution != "int_uniform":
        return FloatDistribution(least, most, log=logarithmic)
    if not all(type(end) is int for end in (least, most)):
        raise UsageError(f"{key}.min and max must be whole numbers, got {least} and {most}")
    return IntDistribution(least, most)


def _number(key: str, value: Any, above: float = -math.inf) -> Any:
    """A number as it stands there: whole or not."""
    if not is_number(value):
        # YAML takes 1e-3 for text.
        hint = "; a number with an exponent needs a point, 1.0e-3" if "e" in str(value) else ""
        raise UsageError(f"{key} must be a number, got {value}{hint}")
    if value <= above:
        raise UsageError(f"{key} must be above {above}, got {value}")
    return value
