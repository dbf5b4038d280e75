"""Strategies draw all settings of the project's cores, and no unknown ones of external cores."""

from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_cores import CORES, MemoryCore, MemorySizes, NoMemory
from tests.conformance.cores import settings_of
from tests.conformance.strategies import SETTINGS, settings_for


class Traced(NoMemory):
    """An external core with an unknown setting."""

    def __init__(self, sizes: MemorySizes, traces: int = 8, kind: Literal["a", "b"] = "a") -> None:
        super().__init__(sizes)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_every_setting_of_the_project_is_drawn(core: type[MemoryCore]) -> None:
    kinds = get_type_hints(core.__init__)
    for name in list(settings_of(core))[1:]:
        assert name in SETTINGS or kinds[name] is bool or get_origin(kinds[name]) is Literal, name


@given(st.data())
def test_an_unknown_setting_stays_at_its_default(data: st.DataObject) -> None:
    settings = data.draw(settings_for(Traced, by_query=False))
    assert settings.keys() == {"kind"} and settings["kind"] in get_args(Literal["a", "b"])
