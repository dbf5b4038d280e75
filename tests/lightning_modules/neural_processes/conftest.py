"""Every model of the family, small enough to build quickly."""

from collections.abc import Callable

import pytest
import torch

from lightning_modules.neural_processes import NeuralProcess
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[..., NeuralProcess]:
    """Builds a model of 8 hidden units, in double precision."""

    def build(**settings: object) -> NeuralProcess:
        torch.manual_seed(0)
        return MODELS[request.param](**{**SIZES, "hidden_size": 8, **settings}).double()

    return build
