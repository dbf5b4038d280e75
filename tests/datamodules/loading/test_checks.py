"""Checks of settings: what they refuse, and that memory cores have the same."""

import inspect
from math import nan

import pytest

from datamodules.loading import checks
from memory_cores.parts import checks as checks_of_cores

SHARED = ["require_at_least", "require_positive"]


@pytest.mark.parametrize(
    ("check", "limits", "good", "bad", "message"),
    [
        ("require_at_least", (1,), 1, 0, "must be at least 1, got 0"),
        ("require_at_least", (0,), 0.0, nan, "must be at least 0, got nan"),
        ("require_at_most", (4,), 4, 5, "must be at most 4, got 5"),
        ("require_positive", (), 1, 0, "must be above 0, got 0"),
        ("require_one_of", (("a", "b"),), "b", "c", "must be one of a, b, got c"),
        (
            "require_interval",
            (1,),
            (1, 1),
            (3, 2),
            "must be an interval that starts at 1 or above, its lower end first, got (3, 2)",
        ),
        (
            "require_interval",
            (1,),
            (1, 2),
            (0, 2),
            "must be an interval that starts at 1 or above, its lower end first, got (0, 2)",
        ),
        (
            "require_lengths",
            (2, 9),
            [9, 10],
            [10, 11],
            "must be lengths of at least 2, one of them at most 9, got [10, 11]",
        ),
        (
            "require_keys",
            (("a", "b"),),
            {"b": 1, "a": 2},
            {"b": 1, "c": 2},
            "must have the keys a, b, got no a, an unknown c",
        ),
    ],
)
def test_the_first_bad_setting_is_named(check, limits, good, bad, message) -> None:
    require = getattr(checks, check)
    require(*limits, slots=good, heads=good)
    with pytest.raises(ValueError) as error:
        require(*limits, slots=good, heads=bad, units=bad)
    assert str(error.value) == f"heads {message}"


@pytest.mark.parametrize("name", SHARED)
def test_memory_cores_have_the_same_checks(name: str) -> None:
    own, theirs = (getattr(module, name) for module in (checks, checks_of_cores))
    assert list(inspect.signature(own).parameters) == list(inspect.signature(theirs).parameters)
    said = []
    for check in (own, theirs):
        with pytest.raises(ValueError) as error:
            check(*[1] * (name == "require_at_least"), heads=1, slots=0)
        said.append(str(error.value))
    assert said[0] == said[1] and said[0].startswith("slots must be ")
