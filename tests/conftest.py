"""Fixtures that all tests share."""

from collections.abc import Iterator

import pytest

from memory_cores.kernels import building


@pytest.fixture(autouse=True)
def operators(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave C++ operators out, whether or not a test before has built them, but where marked."""
    if request.node.get_closest_marker("operators"):
        building.build()
        yield
    else:
        with building.left_out():
            yield
