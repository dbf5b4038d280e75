"""Recurrences captured as CUDA graphs; what needs a GPU runs where there is one."""

import copy

import pytest
import torch
from torch import Tensor, nn

from datamodules import DriftingFunctions
from lightning_modules import ASNP
from lightning_modules.speed.cuda_graphs import CapturedGraphs

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def small_model(compile: bool) -> tuple[ASNP, DriftingFunctions]:
    """A model of drifting functions, and its data."""
    data = DriftingFunctions(sequence_length=6, context_steps=3, batch_size=4, num_workers=0)
    data.setup()
    sizes = {
        "sequence_length": 6,
        "test_length": 6,
        "x_size": 1,
        "x_range": 4.0,
        "y_size": 1,
        "hidden_size": 16,
    }
    torch.manual_seed(0)
    return ASNP(pool_memory=True, recurrent_path=True, compile=compile, **sizes), data


def test_without_a_gpu_it_is_the_function_itself() -> None:
    layer = nn.Linear(2, 3)
    x = torch.randn(4, 2, requires_grad=True)
    torch.testing.assert_close(CapturedGraphs(layer, layer.forward)(x), layer(x))


def test_neither_parameters_nor_copies_know_of_it() -> None:
    captured, data = small_model(compile=True)
    plain, _ = small_model(compile=False)
    assert captured.state_dict().keys() == plain.state_dict().keys()
    batch = next(iter(data.train_dataloader()))
    twin = copy.deepcopy(captured)
    with torch.no_grad():
        for parameter in captured.memory.parameters():
            parameter.zero_()
    losses = []
    for model in (plain, twin):
        torch.manual_seed(1)
        losses.append(model.bound(batch, model(batch)).total)
    torch.testing.assert_close(*losses)


@needs_gpu
def test_captured_graphs_give_the_results_and_gradients_of_the_function() -> None:
    outcomes: list[list[Tensor]] = []
    for compile in (False, True):
        model, data = small_model(compile)
        model.cuda()
        outcome = []
        for number, batch in zip(range(3), data.train_dataloader(), strict=False):
            batch = type(batch)(*(part.cuda() for part in batch))
            noise = torch.randn(4, 6, 16, generator=torch.Generator().manual_seed(number)).cuda()
            model.zero_grad()
            loss = -model.bound(batch, model(batch, noise)).total.mean()
            loss.backward()
            outcome += [loss.detach(), *(p.grad.clone() for p in model.parameters())]
        outcomes.append(outcome)
    torch.testing.assert_close(*outcomes, rtol=1e-4, atol=1e-5)


@needs_gpu
def test_every_shape_has_a_graph_of_its_own() -> None:
    layer = nn.Linear(2, 3).cuda()
    captured = CapturedGraphs(layer, layer.forward)
    for rows in (4, 5, 4):
        x = torch.randn(rows, 2, device="cuda", requires_grad=True)
        torch.testing.assert_close(captured(x), layer(x))
    with torch.no_grad():
        captured(torch.randn(7, 2, device="cuda"))
    assert len(captured._graphs) == 2
