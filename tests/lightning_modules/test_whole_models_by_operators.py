"""Whole models whose steps are C++ operators, against the same models in Python."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.temporal_vaes.backbone import Backbone
from memory_cores import DNC, NTM, MemoryCore, MemorySizes, NoMemory
from memory_cores.kernels import building
from memory_cores.kernels import dnc as dnc_kernel
from memory_cores.kernels import lstm as lstm_kernel

pytestmark = pytest.mark.operators
B, T, E, F, Z, H = 3, 6, 3, 4, 2, 8
CORES = [NoMemory, NTM, partial(DNC, slots=4, word_size=3)]


def backbone_of(core: Callable[[MemorySizes], MemoryCore]) -> Backbone:
    torch.manual_seed(0)
    memory = core(MemorySizes(control=H, key=H, value=Z, steps=T))
    return Backbone(memory, E, F, Z, H, map_size=4).double()


def evidence() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    sizes = (E, F, Z)
    return tuple(torch.randn(B, T, n, generator=generator, dtype=torch.double) for n in sizes)


def outcome_and_gradients(backbone: Backbone) -> list[Tensor]:
    trajectory = backbone.unroll(*evidence())
    parts = [trajectory.latent, trajectory.psi, *trajectory.prior, *trajectory.posterior]
    loss = torch.stack([part.square().mean() for part in parts]).sum()
    return [*parts, *torch.autograd.grad(loss, list(backbone.parameters()))]


@pytest.mark.parametrize("core", CORES, ids=["no memory", "ntm", "dnc"])
def test_sequences_and_gradients_are_the_same(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = backbone_of(core)
    calls = [count_calls(kernel, monkeypatch) for kernel in (lstm_kernel, dnc_kernel)]
    ours = outcome_and_gradients(backbone)
    assert [len(found) for found in calls] == [T, T if isinstance(core, partial) else 0]
    with building.left_out():
        theirs = outcome_and_gradients(backbone)
    assert len(calls[0]) == T
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_evaluation_without_gradients_is_the_same(mode: Any) -> None:
    backbone = backbone_of(CORES[-1])
    with mode():
        ours = backbone.unroll(*evidence()).psi
    torch.testing.assert_close(ours, backbone.unroll(*evidence()).psi.detach(), rtol=0, atol=0)


def count_calls(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    step = kernel.step

    def counted(*asked: Any) -> Any:
        calls.append(asked)
        return step(*asked)

    monkeypatch.setattr(kernel, "step", counted)
    return calls
