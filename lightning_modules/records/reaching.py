"""Seconds of training until validations reach a level, and comparisons of models by them.

Two models are compared by the ratio of their times, paired by seed and on the same hardware.
Unlike a difference in seconds, it does not depend on the machine's speed, so claims can be about
it.

A run that ends above the level has a right-censored time: it needs longer than it was trained. Its
training time then gives a bound on the ratio. If the reference never reached the level, the true
ratio is at most the computed one: a claim that the ratio is small can hold, but cannot fail. If the
model itself never reached it, the true ratio is at least the computed one: the claim can fail, but
cannot hold. If neither did, the pair is uninformative and the comparison undecided, whatever the
other seeds show. Likewise, a run whose first validation is already at the level has only an upper
bound on its time.
"""

from collections.abc import Mapping
from math import isfinite, log
from typing import Literal, NamedTuple

from lightning_modules.declarations import Measure
from lightning_modules.records.metrics_file import History

#: Whether a time is exact (interpolated) or a bound.
Known = Literal["exactly", "at most", "at least"]


class Time(NamedTuple):
    """When a run reached a level."""

    seconds: float  #: of training, including validations
    known: Known
    hardware: str | None  #: of training; times on different hardware are not comparable


Times = Mapping[int | None, Time]


class Ratios(NamedTuple):
    """Logs of the ratios of two models' times, by seed."""

    logs: dict[int | None, float]  #: exact, or a bound
    has_upper: bool  #: whether each is at least the true one, and so their mean
    has_lower: bool  #: whether each is at most the true one
    apart: int  #: pairs excluded because their hardware differs or is unknown


def time_to(history: History, measure: Measure, level: float, hardware: str | None) -> Time | None:
    """Find when a run first reached a level, by linear interpolation between validations.

    Args:
        history: of the run; validations without a finite value and time are ignored.
        measure: of the validations; one with a better direction.
        level: reached when the measure is this good or better.
        hardware: of training.

    Returns:
        The time; None without usable validations.
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


def ratios(ours: Times, reference: Times) -> Ratios:
    """Divide a model's times by those of a reference with the same seed.

    Args:
        ours: times of the model.
        reference: times of the reference.
    """
    shared = [seed for seed in ours if seed is not None and seed in reference]
    alike = [seed for seed in shared if _same_hardware(ours[seed], reference[seed])]
    return Ratios(
        {seed: log(ours[seed].seconds / reference[seed].seconds) for seed in alike},
        all(_is_upper(ours[seed], reference[seed]) for seed in alike),
        all(_is_upper(reference[seed], ours[seed]) for seed in alike),
        len(shared) - len(alike),
    )


def _same_hardware(one: Time, other: Time) -> bool:
    return one.hardware is not None and one.hardware == other.hardware


def _is_upper(of: Time, by: Time) -> bool:
    """Return whether the quotient of two times is at least the true one."""
    return of.known != "at least" and by.known != "at most"
