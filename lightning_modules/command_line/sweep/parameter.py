"""Translates a sweep's parameters from W&B's format into Optuna's distributions."""

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

#: The settings that each distribution needs, and those that have defaults.
NEEDED: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    # Equivalent: log(1 / x) is uniform if log(x) is.
    "inv_log_uniform_values": ("min", "max"),
    "normal": (),
    "log_normal": (),
}
OPTIONAL = {
    "categorical": ("probabilities",),
    "normal": ("mu", "sigma"),
    "log_normal": ("mu", "sigma"),
}
#: Prefix of distributions whose values are rounded to multiples of `q`.
ROUNDED = "q_"
DISTRIBUTIONS = (
    *NEEDED,
    *(f"{ROUNDED}{name}" for name in ("uniform", "log_uniform_values", "normal", "log_normal")),
)
#: W&B's former names, whose bounds are exponents.
OF_EXPONENTS = ("log_uniform", "q_log_uniform", "inv_log_uniform")
SETTINGS = ("value", "values", "probabilities", "min", "max", "mu", "sigma", "q", "distribution")


def read_parameter(key: str, content: Any) -> BaseDistribution:
    """Read a parameter's section of a sweep file.

    Choices become JSON text: Optuna accepts no lists, and treats 1 and true as equal.

    Args:
        key: its key in the file, for error messages.
        content: its value in the file.

    Raises:
        UsageError: it does not define a valid distribution.
    """
    if not isinstance(content, Mapping):
        raise UsageError(f"{key} must have values, value, or min and max, got {content}")
    require_known(content, SETTINGS, f"{key}.")
    name = content.get("distribution", _inferred(content))
    if name in OF_EXPONENTS:
        raise UsageError(f"{key}.distribution: {_by_values(name, content)}")
    distribution = one_of(f"{key}.distribution", name, DISTRIBUTIONS)
    base = distribution.removeprefix(ROUNDED)
    for setting in NEEDED[base]:
        if setting not in content:
            raise UsageError(f"{key}.{setting}: is missing; {distribution} needs it")
    q = ("q",) if distribution.startswith(ROUNDED) else ()
    valid = (*NEEDED[base], *OPTIONAL.get(base, ()), *q)
    for setting in content:
        if setting not in (*valid, "distribution"):
            raise UsageError(f"{key}.{setting}: {distribution} has {', '.join(valid)}")
    unrounded = _unrounded(key, content, base)
    if not q:
        return unrounded
    assert isinstance(unrounded, FloatDistribution)
    return quantised(unrounded, _number(f"{key}.q", content.get("q", 1), above=0))


def examples(distribution: BaseDistribution) -> list[Any]:
    """Return all choices, or an interval's bounds; for a normal, those of its central 95%."""
    if isinstance(distribution, CategoricalDistribution):
        return [json.loads(str(choice)) for choice in distribution.choices]
    if isinstance(distribution, Transformed):
        return [distribution.make(number) for number in distribution.typical]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def suggested_value(trial: BaseTrial, key: str, distribution: BaseDistribution) -> Any:
    """Return a trial's value, sampled now unless it has one."""
    if isinstance(distribution, CategoricalDistribution):
        return json.loads(str(trial.suggest_categorical(key, distribution.choices)))
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    drawn = trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
    return distribution.make(drawn) if isinstance(distribution, Transformed) else drawn


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; booleans are not."""
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _inferred(content: Mapping[str, Any]) -> str:
    """Return the default distribution of a parameter that names none, as W&B infers it."""
    if "value" in content:
        return "constant"
    if "values" in content:
        return "categorical"
    ends = (content.get("min"), content.get("max"))
    return "int_uniform" if all(type(end) is int for end in ends) else "uniform"


def _by_values(name: str, content: Mapping[str, Any]) -> str:
    """Explain how to write a distribution by values instead of exponents."""
    least: Any = content.get("min")
    most: Any = content.get("max")
    values = ["exp(min)", "exp(max)"]
    if is_number(least) and is_number(most):
        # Inverse distributions have bounds of 1 / x, so the order is reversed.
        ends = (-most, -least) if "inv" in name else (least, most)
        values = [f"{math.exp(x):.4g}" if abs(x) < 700 else f"e^{x}" for x in ends]
    return (
        f"{name} takes min and max as exponents of e; use {name}_values, which takes values: "
        f"min {values[0]}, max {values[1]}"
    )


def _unrounded(key: str, content: Mapping[str, Any], distribution: str) -> BaseDistribution:
    if distribution == "constant":
        return CategoricalDistribution([json.dumps(content["value"])])
    if distribution == "categorical":
        choice = _choice(f"{key}.values", content["values"])
        if "probabilities" not in content:
            return choice
        probabilities = content["probabilities"]
        return weighted(content["values"], _probabilities(key, probabilities, len(choice.choices)))
    if distribution in ("normal", "log_normal"):
        mu = _number(f"{key}.mu", content.get("mu", 0.0))
        sigma = _number(f"{key}.sigma", content.get("sigma", 1.0), above=0)
        return normal(mu, sigma) if distribution == "normal" else log_normal(mu, sigma)
    return _interval(key, content["min"], content["max"], distribution)


def _probabilities(key: str, content: Any, number: int) -> list[float]:
    matches = isinstance(content, list) and len(content) == number
    if (
        not matches
        or not all(is_number(p) and p >= 0 for p in content)
        or not 0.99 < sum(content) < 1.01
    ):
        raise UsageError(
            f"{key}.probabilities must be {number} numbers that add up to 1, got {content}"
        )
    return [float(p) for p in content]


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
    """Return a number unchanged: an int or a float."""
    if not is_number(value):
        # YAML reads 1e-3 as text.
        hint = "; a number with an exponent needs a point, 1.0e-3" if "e" in str(value) else ""
        raise UsageError(f"{key} must be a number, got {value}{hint}")
    if value <= above:
        raise UsageError(f"{key} must be above {above}, got {value}")
    return value
