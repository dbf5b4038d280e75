"""Classes and settings that can be named."""

from datamodules import MNISTMaze
from lightning_modules import ANP, ASNP, GTMM, NP, SNP, VRNN
from lightning_modules.command_line.class_settings import class_names, concrete, settings_of
from lightning_modules.sequence_model import SequenceModel
from memory_cores import CORES, DNC


def test_only_classes_that_can_be_built_are_named() -> None:
    models = set(concrete(SequenceModel))
    assert {ANP, ASNP, GTMM, NP, SNP, VRNN} <= models
    assert SequenceModel not in models


def test_a_key_takes_the_classes_of_what_it_builds() -> None:
    # Other tests may have imported cores of their own, which can be named, too.
    named = class_names("model.memory") or []
    assert {core.__name__ for core in CORES} <= set(named) and named == sorted(named)
    assert "MemoryCore" not in named and "SlotMemory" not in named
    visual = ["CompactNetworks", "CompactRoomNetworks", "DigitNetworks", "RoomNetworks"]
    assert class_names("model.visual") == visual
    assert "MNISTMaze" in (class_names("data") or [])
    assert class_names("model.latent_size") is None
    assert class_names("trainer") is None


def test_settings_are_those_that_the_class_leaves_open() -> None:
    assert "memory" in settings_of(GTMM) and "memory" not in settings_of(VRNN)
    assert {"grid", "batch_size"} <= settings_of(MNISTMaze).keys(), "its base class's, too"
    assert "sizes" not in settings_of(DNC), "they come from the model"
