"""Packed batches are unpacked as they were."""

from typing import NamedTuple

import pytest
import torch

from datamodules.loading.packing import pack, unpack


class Fields(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor
    d: torch.Tensor


@pytest.mark.parametrize("small", [0, 1 << 20], ids=["a tensor", "an array"])
def test_a_packed_batch_is_unpacked_to_the_bit(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodules.loading.packing.SMALL", small)
    fields = Fields(
        torch.randn(3, 5, 7).transpose(0, 2),
        torch.rand(3, 5) < 0.5,
        torch.zeros(3, 0, 4),
        torch.randint(-(10**12), 10**12, (11,)),
    )
    packed = pack(fields)
    assert isinstance(packed.buffer, torch.Tensor) == (small == 0)
    found = unpack(packed)
    assert type(found) is Fields
    for one, other in zip(found, fields, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
