"""The choice of a source; `auto` is tested with the real sources that it looks for."""

import pytest

from datamodules.sources import load_images, resolve_source


def test_a_named_source_is_not_announced(lines: list[str]) -> None:
    load_images("mnist5k", "nowhere", "val")
    assert lines == []


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="^source must be one of .*, got emnist$"):
        resolve_source("emnist", "data")  # type: ignore[arg-type]
