"""Every model of the family, built in no time."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_processes import MODELS, SIZES

from lightning_modules.neural_processes import NeuralProcess

# The oracles of the cores, which this family's oracle is made of.
sys.path.append(str(Path(__file__).parents[2] / "memory_cores"))


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[..., NeuralProcess]:
    """Builds a model of 8 hidden units, in double precision."""

    def build(**settings: object) -> NeuralProcess:
        torch.manual_seed(0)
        return MODELS[request.param](**{**SIZES, "hidden_size": 8, **settings}).double()

    return build
