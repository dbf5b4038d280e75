"""Checkpoints that do not fit are refused with a reason."""

from lightning_modules.command_line.checkpoint_check import differences


def gtmm(memory: str, slots: int | None = None, **settings: object) -> dict[str, object]:
    core = {"class_path": f"memory_cores.{memory}", "init_args": {"slots": slots}}
    return {"_class_path": "lightning_modules.GTMM", "memory": core, **settings}


def test_settings_of_another_core_are_not_compared():
    found = list(differences(gtmm("NoMemory", 1), gtmm("DNC", 2)))
    assert found == ["model.memory is NoMemory here, DNC in the checkpoint"]


def test_settings_of_the_same_core_are_compared():
    found = list(differences(gtmm("DNC", 1, map_size=0), gtmm("DNC", 2, map_size=8)))
    assert found == [
        "model.memory.slots is 1 here, 2 in the checkpoint",
        "model.map_size is 0 here, 8 in the checkpoint",
    ]


def test_settings_of_another_model_are_not_compared():
    vrnn = {"_class_path": "lightning_modules.VRNN", "map_size": 3}
    found = list(differences(vrnn, gtmm("DNC", map_size=8)))
    assert found == ["model is VRNN here, GTMM in the checkpoint"]


def test_checkpoint_without_settings_has_none_to_compare():
    assert not list(differences({"map_size": 3}, {}))
