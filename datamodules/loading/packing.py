"""Packs a batch into one buffer, for transfer between processes.

PyTorch transfers every tensor by a file descriptor, for which the receiver connects to the sender:
0.3 to 0.5 ms per tensor of any size. An array goes through a pipe, which is faster if it is small.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Fields start at multiples of this many bytes, which suits any number type.
ALIGNMENT = 64
#: Maximum number of bytes sent through a pipe.
SMALL = 1 << 19


@dataclass(frozen=True)
class Packed:
    """A named tuple of tensors as one buffer."""

    buffer: Tensor | NDArray[np.uint8]
    """The fields' bytes, uint8 [N]; an array if it is small."""
    kind: type
    """The named tuple's class."""
    layout: list[tuple[torch.dtype, list[int]]]
    """Type and shape of each field."""

    def pin_memory(self) -> "Packed":
        """Copy to pinned memory; called by DataLoader."""
        return replace(self, buffer=torch.as_tensor(self.buffer).pin_memory())


def pack(batch: Any) -> Packed:
    """Copy the fields of a named tuple of tensors into one buffer."""
    fields = [field.contiguous() for field in batch]
    layout = [(field.dtype, list(field.shape)) for field in fields]
    buffer = torch.empty(sum(padded(field.nbytes) for field in fields), dtype=torch.uint8)
    start = 0
    for field in fields:
        buffer[start : start + field.nbytes] = field.flatten().view(torch.uint8)
        start += padded(field.nbytes)
    return Packed(buffer.numpy() if len(buffer) <= SMALL else buffer, type(batch), layout)


def unpack(packed: Packed) -> Any:
    """Rebuild the named tuple; its fields are views of the buffer."""
    buffer = torch.as_tensor(packed.buffer)
    fields, start = [], 0
    for dtype, shape in packed.layout:
        size = prod(shape) * dtype.itemsize
        fields.append(buffer[start : start + size].view(dtype).view(shape))
        start += padded(size)
    return packed.kind(*fields)


def padded(size: int) -> int:
    """Round a number of bytes up to a multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT
