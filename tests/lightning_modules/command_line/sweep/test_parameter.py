"""What a sweep varies, as Optuna understands it."""

from typing import Any

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_modules.command_line.sweep.parameter import examples, read_parameter


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ({"values": [1, "a"]}, CategoricalDistribution(["1", '"a"'])),
        ({"value": 3}, CategoricalDistribution(["3"])),
        ({"min": 1, "max": 4}, IntDistribution(1, 4)),
        ({"min": 1.0, "max": 4}, FloatDistribution(1.0, 4.0)),
        ({"distribution": "uniform", "min": 1, "max": 4}, FloatDistribution(1.0, 4.0)),
        (
            {"distribution": "log_uniform_values", "min": 0.1, "max": 1},
            FloatDistribution(0.1, 1.0, log=True),
        ),
    ],
)
def test_parameters_are_read_as_wandb_does(
    content: dict[str, Any], meant: BaseDistribution
) -> None:
    assert read_parameter("parameters.x", content) == meant


def test_examples_are_all_choices_or_both_ends() -> None:
    assert examples(read_parameter("x", {"values": [True, [1, 2], None]})) == [True, [1, 2], None]
    assert examples(read_parameter("x", {"min": 2, "max": 9})) == [2, 9]
    assert examples(read_parameter("x", {"min": 0.5, "max": 1.5})) == [0.5, 1.5]
