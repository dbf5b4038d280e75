"""The settings in conf/models are those that docs/tuning.md's trials select."""

import inspect
import re
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml

import lightning_modules

ROOT = Path(__file__).parents[1]
TUNING = (ROOT / "docs/tuning.md").read_text(encoding="utf-8")
#: Sums of ratios that are closer do not change a setting.
CLOSE = 0.05
#: Chosen by their bound: they recall nothing.
MEMORYLESS = "vrnn", "gtmm_without_memory"

Trials = dict[str, dict[tuple[Any, ...], float]]


def rows(header: str) -> list[list[str]]:
    """Cells of the table with this header."""
    table = TUNING.partition(f"\n{header}\n")[2].partition("\n\n")[0]
    return [re.findall(r"[^|\s]+", line) for line in table.splitlines()[1:]]


def number(cell: str) -> float:
    """A trial that diverged, or whose latents collapsed, cannot be chosen."""
    return float(cell) if re.fullmatch(r"-?[\d.]+", cell) else inf


def recall() -> Trials:
    """Sum of the ratios on perfect recall and the maze, of trials with both if there are any."""
    first: Trials = {}
    both: Trials = {}
    header = "| model | start | learning rate | perfect recall | maze | bound |"
    for model, start, rate, ratio, maze, _ in rows(header):
        setting = (start, float(rate))
        first.setdefault(model, {})[setting] = number(ratio)
        if maze != "-":
            both.setdefault(model, {})[setting] = number(ratio) + number(maze)
    return {**first, **both}


def functions() -> Trials:
    """NLL on drifting functions."""
    trials: Trials = {}
    for model, decay, rate, nll in rows("| model | decay | learning rate | NLL |"):
        trials.setdefault(model, {})[decay == "true", float(rate)] = number(nll)
    return trials


def setting_of(model: str, name: str) -> Any:
    """A setting in conf/models, or the default of the model's class."""
    content = yaml.safe_load((ROOT / f"conf/models/{model}.yaml").read_text(encoding="utf-8"))
    kind = getattr(lightning_modules, content["class_path"])
    parents = (inspect.signature(each.__init__).parameters for each in kind.__mro__[:-1])
    default = next(parameters[name].default for parameters in parents if name in parameters)
    return content.get("init_args", {}).get(name, default)


@pytest.mark.parametrize("model", sorted(recall().keys() - {*MEMORYLESS}))
def test_recall(model: str) -> None:
    trials = recall()[model]
    chosen = setting_of(model, "start"), float(setting_of(model, "learning_rate"))
    assert trials[chosen] <= min(trials.values()) + CLOSE


@pytest.mark.parametrize("model", sorted(functions()))
def test_functions(model: str) -> None:
    trials = functions()[model]
    chosen = setting_of(model, "decay"), float(setting_of(model, "learning_rate"))
    assert trials[chosen] == min(trials.values())
