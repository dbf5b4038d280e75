"""Contestants: every core in the same unroll, an LSTM as the baseline, and a public DNC."""

import inspect
import re
from collections.abc import Callable, Iterator, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import pypi_dnc
from full_memory import FullSAM
from lightning_modules.speed.preparation import prepare
from memory_cores import CORES, DNC, RMR, MemoryCore, MemorySizes
from recurrence import Recurrence
from sizes import Sizes

LSTM, PYPI_DNC = "lstm", "pypi_dnc"


class Variant(NamedTuple):
    """A core with some of its options."""

    core: type[MemoryCore[Any]]
    settings: dict[str, Any] = {}

    def builder(self, sizes: Sizes) -> Callable[[MemorySizes], MemoryCore[Any]]:
        """Return a function that builds the core, with those common sizes that it accepts."""
        common = {"slots": sizes.slots, "word_size": sizes.word, "read_heads": sizes.read_heads}
        settings = {name: value for name, value in common.items() if name in self.accepted}
        settings |= self.settings
        return lambda memory_sizes: self.core(memory_sizes, **settings)

    @property
    def accepted(self) -> Set[str]:
        """Settings that the core accepts."""
        return inspect.signature(self.core).parameters.keys()

    @property
    def label(self) -> str:
        """Constructor call, for a legend."""
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return self.core.__name__ + (f"({settings})" if settings else "")


def row_of(core: type[MemoryCore[Any]]) -> str:
    """Return the name of a core's row: context_window for ``ContextWindow``, dnc for ``DNC``."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", core.__name__).lower()


#: Variants by row name: every core with its defaults, and some with options.
VARIANTS: dict[str, Variant] = {
    **{row_of(core): Variant(core) for core in CORES},
    "dnc_two_write_heads": Variant(DNC, {"write_heads": 2}),
    "dnc_sparse_links": Variant(DNC, {"sparse_links": 8}),
    "rmr_stochastic_keys": Variant(RMR, {"stochastic_keys": True}),
}
NAMES = (LSTM, PYPI_DNC, *VARIANTS)
#: Includes one that only scaling.py uses.
EVERY_VARIANT = VARIANTS | {"sam_full": Variant(FullSAM)}


class Contestant(NamedTuple):
    """A module with its training inputs."""

    module: nn.Module
    inputs: Tensor
    bf16: bool = False  #: use autocast, with the loss in float32

    def loss(self) -> Tensor:
        """Run the forward pass, and return a scalar loss."""
        with torch.autocast(self.inputs.device.type, torch.bfloat16, enabled=self.bf16):
            outputs = self.module(self.inputs)
        return outputs.float().square().mean()

    def step(self) -> None:
        """Run the forward and backward pass."""
        self.module.zero_grad(set_to_none=True)
        self.loss().backward()


class FirstOutput(nn.Module):
    """Returns the outputs of a recurrent network without its last state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, T, W] to [B, T, H]."""
        return self.network(inputs)[0]


def module_of(name: str, sizes: Sizes, device: torch.device) -> nn.Module:
    """Build a contestant's module."""
    if name == LSTM:
        return FirstOutput(nn.LSTM(sizes.word, sizes.controller, batch_first=True))
    if name == PYPI_DNC:
        return pypi_dnc.PypiDNC(sizes, device)
    recurrence = Recurrence(EVERY_VARIANT[name].builder(sizes), sizes)
    if device.type == "cpu":
        prepare()  # as models do
    return recurrence


def contestants(
    names: tuple[str, ...], sizes: Sizes, device: torch.device, bf16: bool
) -> Iterator[tuple[str, Contestant]]:
    """Yield the named contestants that are available, all with the same inputs."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(sizes.batch, sizes.steps, sizes.word, generator=generator).to(device)
    for name in names:
        if name == PYPI_DNC and not pypi_dnc.is_installed():
            print("pypi_dnc is skipped; to include it: pip install --no-deps dnc==1.1.0")
            continue
        torch.manual_seed(0)
        yield name, Contestant(module_of(name, sizes, device).to(device), inputs, bf16)
