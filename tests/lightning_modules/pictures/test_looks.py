"""Looks of cores and baselines, and of what another version of this code knew."""

from lightning_modules import ANP, NP, SNP
from lightning_modules.pictures.looks import BASELINES, look_of
from memory_cores import CORES, DNC


def test_every_core_looks_as_it_says() -> None:
    assert [look_of("GTMM", core.__name__) for core in CORES] == [core.look for core in CORES]


def test_baselines_look_as_they_say() -> None:
    assert {model.__name__: model.baseline_look for model in (NP, ANP, SNP)} == BASELINES


def test_cores_of_other_versions_have_a_look() -> None:
    assert look_of("GTMM", "Gone") == look_of("GTMM", None)
    assert look_of("GTMM", "Gone").colour != DNC.look.colour
