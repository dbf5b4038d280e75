"""What a sweep varies, as Optuna understands it."""

from statistics import fmean, pstdev
from typing import Any

import pytest
from optuna import create_study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler

from lightning_modules.command_line.sweep.parameter import examples, read_parameter, suggested_value
from lightning_modules.command_line.sweep.transformed import Transformed


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
        (
            {"distribution": "inv_log_uniform_values", "min": 0.1, "max": 1},
            FloatDistribution(0.1, 1.0, log=True),
        ),
    ],
)
def test_parameters_are_read_as_wandb_does(
    content: dict[str, Any], meant: BaseDistribution
) -> None:
    assert read_parameter("parameters.x", content) == meant


#: What W&B's reference says of each: moments of many draws, or shares of values.
DRAWN: dict[str, tuple[dict[str, Any], float, float]] = {
    "normal": ({"distribution": "normal", "mu": 3.0, "sigma": 0.5}, 3.0, 0.5),
    "a normal's defaults": ({"distribution": "normal"}, 0.0, 1.0),
    # exp(X): mean exp(mu + sigma^2 / 2), and that times the root of exp(sigma^2) - 1.
    "log_normal": ({"distribution": "log_normal", "mu": 1.0, "sigma": 0.5}, 3.08022, 1.64157),
    # Of the sixths of [0, 3] the outer two are rounded to 0 and 3: variance 7 / 6 - 1 / 4.
    "q_uniform": ({"distribution": "q_uniform", "min": 0, "max": 3}, 1.5, 0.95743),
    "probabilities": ({"values": [0, 1, 5], "probabilities": [0.5, 0.3, 0.2]}, 1.3, 1.9),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_optuna_lacks_is_distributed_as_wandb_says(name: str) -> None:
    content, mean, deviation = DRAWN[name]
    distribution = read_parameter("parameters.x", content)
    assert isinstance(distribution, Transformed)
    numbers = (
        distribution.low + (i + 0.5) * (distribution.high - distribution.low) / 9999
        for i in range(9999)
    )
    values = [distribution.make(number) for number in numbers]
    assert fmean(values) == pytest.approx(mean, rel=2e-3, abs=2e-3)
    assert pstdev(values) == pytest.approx(deviation, rel=4e-3)


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}, [0.1 * n for n in range(11)]),
        ({"distribution": "q_uniform", "min": 1, "max": 12, "q": 5}, [0, 5, 10]),
        ({"distribution": "q_log_uniform_values", "min": 1, "max": 10, "q": 4}, [0, 4, 8]),
        ({"distribution": "q_normal", "mu": 2, "sigma": 0.01}, [2]),
        ({"distribution": "q_log_normal", "mu": 0, "sigma": 0.01}, [1]),
    ],
)
def test_rounded_values_are_multiples_of_q(content: dict[str, Any], values: list[float]) -> None:
    distribution = read_parameter("parameters.x", content)
    study = create_study(sampler=RandomSampler(0))
    drawn = {suggested_value(study.ask(), "x", distribution) for _ in range(200)}
    assert sorted(drawn) == pytest.approx(values)
    assert all(len(str(value)) <= 3 for value in drawn)
    whole = isinstance(content.get("q", 1), int)
    assert {type(value) for value in drawn} == {int if whole else float}


def test_examples_are_all_choices_or_both_ends() -> None:
    assert examples(read_parameter("x", {"values": [True, [1, 2], None]})) == [True, [1, 2], None]
    assert examples(read_parameter("x", {"min": 2, "max": 9})) == [2, 9]
    assert examples(read_parameter("x", {"min": 0.5, "max": 1.5})) == [0.5, 1.5]
    choice = {"values": ["a", "b", "c"], "probabilities": [0.9, 0, 0.1]}
    assert examples(read_parameter("x", choice)) == ["a", "c"]
    quarters = {"distribution": "q_uniform", "min": 0.2, "max": 0.9, "q": 0.25}
    assert examples(read_parameter("x", quarters)) == [0.25, 1.0]
    normal = examples(read_parameter("x", {"distribution": "normal", "mu": 10, "sigma": 1}))
    assert normal == pytest.approx([8.04, 11.96], abs=1e-3)
