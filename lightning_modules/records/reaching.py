"""Seconds of training until validations reach a level, and how models compare by them.

Two models compare by the ratio of their times, in pairs of one seed on the same hardware. The ratio
does not depend on how fast the machine is, as a difference in seconds does, so that claims can be
about it.

A run that ends above the level has no time: it is known only that it needs longer than it was
trained (a right-censored time), and nothing is made up in its place. What follows for the ratio is
a bound. If the reference is the one that never got there, the true ratio is at most the one that is
computed with the seconds of its whole training, and a claim that the ratio is small may hold by it
and cannot fail. If the model itself never got there, its ratio is at least that much: the claim may
fail and cannot hold. Where neither got there a pair says nothing, and the comparison is undecided,
whatever other seeds found. The same goes for a run whose first validation is at the level already:
when it got there is not known but for an upper bound.
"""

from collections.abc import Iterable, Mapping
from math import isfinite, log
from typing import Literal, NamedTuple

from lightning_modules.declarations import Measure
from lightning_modules.records.metrics_file import History

#: How a time is known: interpolated, or as a bound.
Known = Literal["exactly", "at most", "at least"]


class Time(NamedTuple):
    """When a run reached a level."""

    seconds: float  #: of training, with validations
    known: Known
    hardware: str | None  #: that trained; seconds elsewhere are others


Times = Mapping[int | None, Time]


class Ratios(NamedTuple):
    """Logs of the ratios of two models' times, by seed."""

    logs: dict[int | None, float]  #: exact, or the bound that is known
    has_upper: bool  #: whether each is the ratio or above it; so a mean of them is
    has_lower: bool  #: whether each is the ratio or below it
    apart: int  #: pairs that are left out, as their hardware differs or is not known


def time_to(history: History, measure: Measure, level: float, hardware: str | None) -> Time | None:
    """Find when a run first reached a level, between two validations by a straight line.

    Args:
        history: of the run; a validation without a finite number or time does not count.
        measure: of the validations; it has a better direction.
        level: reached where the measure is as good, or better.
        hardware: that trained.

    Returns:
        The time; None where no validation tells anything.
    """
    if measure.name not in history.values:
        return None
    sign = 1 if measure.better == "lower" else -1
    pairs = zip(history.seconds.tolist(), history.values[measure.name].tolist(), strict=True)
    points = [(at, sign * (value - level)) for at, value in pairs if isfinite(at + value)]
    if not points:
        return None
    first = next((i for i, (_, above) in enumerate(points) if above <= 0), None)
    if first is None:
        return Time(points[-1][0], "at least", hardware)
    (at, above) = points[first]
    if first == 0:
        return Time(at, "at most", hardware)
    before, excess = points[first - 1]
    return Time(before + (at - before) * excess / (excess - above), "exactly", hardware)


def ratios(ours: Times, others: Times) -> Ratios:
    """Divide times by those of a reference, seed by seed.

    Args:
        ours: times of a model.
        others: times of the reference.
    """
    shared = [seed for seed in ours if seed is not None and seed in others]
    alike = [seed for seed in shared if _same_hardware(ours[seed], others[seed])]
    return Ratios(
        {seed: log(ours[seed].seconds / others[seed].seconds) for seed in alike},
        all(_is_upper(ours[seed], others[seed]) for seed in alike),
        all(_is_upper(others[seed], ours[seed]) for seed in alike),
        len(shared) - len(alike),
    )


def unreached(times: Iterable[Time]) -> int:
    """Count the runs that ended before they reached the level."""
    return sum(time.known == "at least" for time in times)


def _same_hardware(one: Time, other: Time) -> bool:
    return one.hardware is not None and one.hardware == other.hardware


def _is_upper(of: Time, by: Time) -> bool:
    """Tell whether a quotient of two known times is the true one, or above it."""
    return of.known != "at least" and by.known != "at most"
