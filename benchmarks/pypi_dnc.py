"""The DNC of the PyPI package ``dnc`` 1.1.0, the most used public one (extra ``bench``)."""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from sizes import Sizes

#: Nearest-neighbour libraries for its sparse memories, which are not used here.
UNUSED = {
    "pyflann": ("FLANN",),
    "faiss": (
        "cast_integer_to_float_ptr",
        "cast_integer_to_int_ptr",
        "cast_integer_to_long_ptr",
    ),
}


def is_installed() -> bool:
    """Return whether the package is installed."""
    return find_spec("dnc") is not None


def stand_in(name: str, members: tuple[str, ...]) -> None:
    """Stub a module whose members are never called, whether or not it is installed."""
    module: Any = ModuleType(name)
    for member in members:
        setattr(module, member, None)
    sys.modules[name] = module


class PypiDNC(nn.Module):
    """A DNC with one LSTM layer as controller.

    Args:
        sizes: of controller and memory.
        device: device of its states.
    """

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        super().__init__()
        for name, members in UNUSED.items():
            stand_in(name, members)
        from dnc import DNC

        self.dnc = DNC(
            input_size=sizes.word,
            hidden_size=sizes.controller,
            rnn_type="lstm",
            num_layers=1,
            num_hidden_layers=1,
            nr_cells=sizes.slots,
            cell_size=sizes.word,
            read_heads=sizes.read_heads,
            gpu_id=-1 if device.type == "cpu" else device.index or 0,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, T, W] to [B, T, W], from an erased memory."""
        return self.dnc(inputs, (None, None, None), reset_experience=True)[0]
