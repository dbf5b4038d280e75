"""Strategies draw all settings of the project's cores, and no unknown ones of external cores."""

from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_cores import CORES, DNC, MemoryCore, MemorySizes, NoMemory
from memory_cores.parts.checks import require_at_least
from tests.conformance import cores
from tests.conformance.cores import SIZES, settings_of
from tests.conformance.strategies import SETTINGS, build, settings_for


class Traced(NoMemory):
    """An external core with an unknown setting."""

    def __init__(self, sizes: MemorySizes, traces: int = 8, kind: Literal["a", "b"] = "a") -> None:
        super().__init__(sizes)


class Untyped(NoMemory):
    """An external core with settings of which nothing is known."""

    def __init__(self, sizes: MemorySizes, kept=3, *rest: bool, **options: bool) -> None:
        super().__init__(sizes)


class Large(NoMemory):
    """An external core with a narrower range of a setting than the project's cores."""

    def __init__(self, sizes: MemorySizes, slots: int = 8) -> None:
        super().__init__(sizes)
        require_at_least(8, slots=slots)
        self.slots = slots


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_every_setting_of_the_project_is_drawn(core: type[MemoryCore]) -> None:
    kinds = get_type_hints(core.__init__)
    for name in settings_of(core):
        assert name in SETTINGS or kinds[name] is bool or get_origin(kinds[name]) is Literal, name


@given(st.data())
def test_an_unknown_setting_stays_at_its_default(data: st.DataObject) -> None:
    settings = data.draw(settings_for(Traced, by_query=False))
    assert settings.keys() == {"kind"} and settings["kind"] in get_args(Literal["a", "b"])


@given(st.data(), st.booleans())
def test_settings_without_a_type_and_any_others_stay_at_their_defaults(
    data: st.DataObject, by_query: bool
) -> None:
    assert data.draw(settings_for(Untyped, by_query)) == {}


def test_an_external_core_that_refuses_a_value_is_built_with_its_defaults() -> None:
    assert cores.build(Large, "smallest").slots == 8
    assert cores.build(Large, slots=20).slots == 20
    assert build(Large, SIZES, {"slots": 3}, 1, [(1, 1.0)]).core.slots == 8
    with pytest.raises(ValueError, match="slots must be at least 1, got 0"):
        cores.build(DNC, slots=0)
