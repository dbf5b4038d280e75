"""Settings whose first step cannot fit into memory are refused, and the right one is named."""

from collections.abc import Callable

import pytest
import torch

from cli import ExperimentCLI
from lightning_modules import GTMM, SNP
from lightning_modules.command_line import memory_estimate
from lightning_modules.command_line.memory_estimate import least_bytes
from lightning_modules.command_line.usage_error import UsageError
from memory_cores import NTM
from tests.cli.commands import MAZE

FUNCTIONS, DIGITS = "--config=conf/snp_gp_sparse.yaml", "--config=conf/snp_digits_sparse.yaml"
TOO_LARGE = {
    "model.memory.slots=10000000": (MAZE,),
    "data.batch_size=1000000000": (MAZE, "--model.latent_size=16"),
    "data.sequence_length=1000000": (MAZE,),
    "model.controller_size=1000000": (MAZE,),
    "model.latent_size=10000000": (MAZE, "--model.controller_size=8"),
    # A product that is no 64-bit number.
    "model.map_size=10000000000000000": (MAZE,),
    "model.hidden_size=1000000": (FUNCTIONS,),
    "data.canvas_size=1000000": (DIGITS,),
}


@pytest.mark.parametrize("setting", TOO_LARGE)
def test_the_setting_is_named(build: Callable[..., ExperimentCLI], setting: str):
    name, value = setting.split("=")
    with pytest.raises(UsageError) as error:
        build(*TOO_LARGE[setting], f"--{setting}")
    message = str(error.value)
    assert message.startswith(f"{name} must be smaller: a step needs at least ")
    assert message.endswith(f" GiB are available, got {value}") and "\n" not in message


def test_what_fits_is_left_alone(build: Callable[..., ExperimentCLI], monkeypatch):
    model = build(MAZE).model
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())
    need = 100_000_000
    monkeypatch.setattr(memory_estimate, "least_bytes", lambda *_: need)
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda _: need)
    build(MAZE)
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda _: need - 1)
    # All settings are as small as their defaults: none of them is to blame.
    with pytest.raises(UsageError, match="^model must be smaller: .* got lightning_modules.GTMM$"):
        build(MAZE)


def test_the_estimate_leaves_the_model_as_it_was(build: Callable[..., ExperimentCLI]):
    models = [build(MAZE).model]
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("lightning_modules.command_line.experiment_parser.require_memory", print)
        models.append(build(MAZE).model)
    estimated, plain = models
    assert estimated.hparams == plain.hparams
    for one, other in zip(estimated.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("training", [True, False])
def test_the_estimate_is_the_sum_of_what_a_step_holds(
    build: Callable[..., ExperimentCLI], training: bool
):
    """NTM on the maze: 25 slots of 64 words, counted by hand."""
    cli = build(MAZE, "--model.memory=NTM", "--data.batch_size=3", "--data.eval_batch_size=7")
    model, batch = cli.model, 3 if training else 7
    assert isinstance(model, GTMM) and isinstance(model.core, NTM)
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    state = 4 * batch * 25 * 64
    frames = batch * 25 * 28 * 28
    least = least_bytes(model, cli.datamodule, training)
    hand = (4 if training else 1) * weights + (2 if training else 1) * state + frames
    # Weightings and norms are a row of numbers beside each slot's words.
    assert hand < least < hand + 0.3 * (2 if training else 1) * state


def test_neural_processes_are_estimated_too(build: Callable[..., ExperimentCLI]):
    cli = build(FUNCTIONS)
    assert isinstance(cli.model, SNP)
    weights = 4 * sum(parameter.numel() for parameter in cli.model.parameters())
    assert 4 * weights <= least_bytes(cli.model, cli.datamodule, training=True) < 5 * weights
