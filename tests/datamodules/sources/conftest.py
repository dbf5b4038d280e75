"""Fixtures that the tests of sources share."""

import pytest

from datamodules.sources import select


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lines that the choice of the source prints."""
    said: list[str] = []
    monkeypatch.setattr(select, "rank_zero_info", said.append)
    return said
