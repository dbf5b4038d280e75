"""What tests of cores share."""

import pytest

from memory_cores.kernels import building


@pytest.fixture(autouse=True)
def python_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores are what their Python says, whether or not a test before has built operators."""
    if not request.module.__name__.endswith("_kernel"):
        monkeypatch.setattr(building, "_built", False)
