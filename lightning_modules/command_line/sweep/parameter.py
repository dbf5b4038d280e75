"""What a sweep varies: a parameter takes one of several values, or any in an interval."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from lightning_modules.command_line.usage_error import UsageError, nearest

#: The settings that say where each distribution's values come from.
DISTRIBUTIONS = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
}
SETTINGS = ("value", "values", "min", "max", "distribution")


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    @property
    def examples(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def draw(self, random: Random) -> Any:
        """Any of them, equally likely."""
        return random.choice(self.values)

    def __contains__(self, value: Any) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Interval:
    """Any number from ``least`` to ``most``.

    Args:
        least: is drawn, too.
        most: likewise.
        whole: whole numbers only.
        logarithmic: every order of magnitude is equally likely.
    """

    least: float
    most: float
    whole: bool = False
    logarithmic: bool = False

    @property
    def examples(self) -> tuple[float, ...]:
        """Both ends."""
        return (self.least, self.most)

    def draw(self, random: Random) -> float:
        """A number."""
        if self.whole:
            return random.randint(int(self.least), int(self.most))
        if self.logarithmic:
            drawn = math.exp(random.uniform(math.log(self.least), math.log(self.most)))
            # Rounding may lead out of the interval.
            return min(max(drawn, self.least), self.most)
        return random.uniform(self.least, self.most)

    def __contains__(self, value: Any) -> bool:
        return is_number(value) and self.least <= value <= self.most


Parameter = Choice | Interval


def read_parameter(key: str, content: Any) -> Parameter:
    """Read a parameter's part of a sweep's file.

    Args:
        key: its name in the file, for complaints.
        content: what the file says of it.

    Raises:
        UsageError: it says nothing that can be drawn from.
    """
    if not isinstance(content, Mapping):
        raise UsageError(f"{key} must have values, value, or min and max, got {content}")
    for name in content:
        if name not in SETTINGS:
            near = nearest(str(name), SETTINGS)
            raise UsageError(f"{key}.{name}: there is no such setting{near}\nvalid: {listed()}")
    distribution = content.get("distribution", inferred(content))
    if distribution not in DISTRIBUTIONS:
        near = nearest(str(distribution), DISTRIBUTIONS)
        names = ", ".join(DISTRIBUTIONS)
        raise UsageError(f"{key}.distribution must be one of {names}, got {distribution}{near}")
    for name in DISTRIBUTIONS[distribution]:
        if name not in content:
            raise UsageError(f"{key}.{name}: is missing; {distribution} needs it")
    if distribution == "constant":
        return Choice((content["value"],))
    if distribution == "categorical":
        return choice(f"{key}.values", content["values"])
    return interval(key, content["min"], content["max"], distribution)


def inferred(content: Mapping[str, Any]) -> str:
    """The distribution of a parameter that names none, as W&B understands it."""
    if "value" in content:
        return "constant"
    if "values" in content:
        return "categorical"
    ends = (content.get("min"), content.get("max"))
    return "int_uniform" if all(type(end) is int for end in ends) else "uniform"


def choice(key: str, values: Any) -> Choice:
    """Several values, each once."""
    if not isinstance(values, list) or not values:
        raise UsageError(f"{key} must be a list of at least one value, got {values}")
    for index, value in enumerate(values):
        # 1 and true are equal, and not the same.
        if any(value == other and type(value) is type(other) for other in values[:index]):
            raise UsageError(f"{key}: {value} is there twice")
    return Choice(tuple(values))


def interval(key: str, least: Any, most: Any, distribution: str) -> Interval:
    """Numbers between two ends."""
    for name, end in {"min": least, "max": most}.items():
        if not is_number(end):
            # YAML takes 1e-3 for text.
            hint = "; a number with an exponent needs a point, 1.0e-3" if "e" in str(end) else ""
            raise UsageError(f"{key}.{name} must be a number, got {end}{hint}")
    if not least < most:
        raise UsageError(f"{key}.max must be above its min {least}, got {most}")
    if distribution == "log_uniform_values" and least <= 0:
        raise UsageError(f"{key}.min must be above 0 for {distribution}, got {least}")
    whole = distribution == "int_uniform"
    if whole and not all(type(end) is int for end in (least, most)):
        raise UsageError(f"{key}.min and max must be whole numbers, got {least} and {most}")
    return Interval(least, most, whole, distribution == "log_uniform_values")


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def listed() -> str:
    """What a parameter may say, for complaints."""
    return ", ".join(SETTINGS)
