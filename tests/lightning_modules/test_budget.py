"""One parameter budget for every model."""

import math
import re
from functools import partial

import pytest
import torch
from torch import nn

from lightning_modules import GTMM, VRNN, DigitNetworks
from lightning_modules.budget import width_within
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import CORES, DNC, LRU, NTM, Introspection

MAZE = {
    "sequence_length": 25,
    "prefix_length": 12,
    "action_size": 5,
    "frame_shape": (1, 28, 28),
}
PAPER = {"visual": DigitNetworks, "map_size": 0, "parameter_budget": 1_870_000}
#: Gemici et al. 2017, table 1, digits and characters.
TABLE_1 = {
    "VRNN": 1_884_177,
    "Introspection": 1_863_107,
    "NTM": 1_869_381,
    "LRU": 1_866_282,
    "DNC": 1_859_336,
}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("budget", [20, 21, 29, 30, 31, 1_000])
def test_the_largest_controller_that_fits_is_found(budget: int) -> None:
    # 10 H parameters: the answer is the quotient.
    size = width_within(budget, lambda width: [nn.Linear(10, width, bias=False)])
    assert size == budget // 10


@pytest.mark.parametrize("budget", [26, 43, 100, 1_000, 500_000, 6_000_000])
def test_a_quadratic_takes_few_builds(budget: int) -> None:
    def build(width: int) -> list[nn.Module]:
        built.append(width)
        return [nn.Linear(10, width), nn.Linear(width, width), nn.Linear(width, 3)]

    built: list[int] = []
    width = width_within(budget, build)
    assert len(built) <= 5
    # H^2 + 15 H + 3 parameters, of which the larger root is the answer.
    assert width == math.floor((-15 + math.sqrt(225 + 4 * (budget - 3))) / 2)


def test_an_estimate_that_is_far_off_changes_nothing() -> None:
    def build(width: int) -> list[nn.Module]:
        return [nn.Linear(10, min(width, 70), bias=False), nn.Linear(1, width**3, bias=False)]

    assert width_within(1_000_000, build) == 99


def test_a_budget_that_nothing_fits_in_names_the_least_that_does() -> None:
    with pytest.raises(ValueError, match="parameter_budget must be at least 10, got 9"):
        width_within(9, lambda width: [nn.Linear(10, width, bias=False)])


@pytest.mark.parametrize("name", ["latent_size", "map_size"])
def test_a_width_that_no_controller_fits_beside_is_to_blame(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"{name} must be at most .* 1172000, got 100000$"
    ) as error:
        GTMM(**MAZE, **{name: 100_000})
    most = int(re.findall(r"at most (\d+)", str(error.value))[0])
    assert parameters(GTMM(**MAZE, **{name: most})) <= 1_172_000
    # Just above it, a slightly larger budget is as good an answer.
    with pytest.raises(ValueError, match="parameter_budget must be at least 117[23]"):
        GTMM(**MAZE, **{name: most + 1})


def test_a_budget_that_is_too_small_is_to_blame_itself() -> None:
    with pytest.raises(ValueError, match=r"^parameter_budget must be at least \d+, got 10000$"):
        GTMM(**MAZE, parameter_budget=10_000)


def test_a_core_that_is_larger_than_the_budget_is_named() -> None:
    words = partial(DNC, word_size=1_000_000)
    pattern = (
        r"parameter_budget must be at least \d+, of which the memory core takes \d+, got 1172000$"
    )
    with pytest.raises(ValueError, match=pattern):
        GTMM(**MAZE, memory=words)


def test_the_search_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    searched = GTMM(**MAZE)
    torch.manual_seed(0)
    fixed = GTMM(**MAZE, controller_size=searched.backbone.controller.hidden_size)
    for one, other in zip(searched.parameters(), fixed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("core", CORES)
def test_every_core_uses_up_the_default_budget(core) -> None:
    assert 0.99 < parameters(GTMM(memory=core, **MAZE)) / 1_172_000 <= 1


@pytest.mark.parametrize("steps", [15, 25, 55])
@pytest.mark.parametrize("name", TABLE_1)
def test_the_papers_budget_gives_table_1_within_five_percent(name: str, steps: int) -> None:
    cores = {"Introspection": Introspection, "NTM": NTM, "LRU": LRU, "DNC": DNC}
    data = {**MAZE, "sequence_length": steps}
    with torch.device("meta"):
        model: TemporalVAE = (
            VRNN(**data, **PAPER) if name == "VRNN" else GTMM(memory=cores[name], **data, **PAPER)
        )
    assert parameters(model) == pytest.approx(TABLE_1[name], rel=0.05)
