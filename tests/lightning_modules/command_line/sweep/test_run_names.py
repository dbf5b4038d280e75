"""What the runs of a sweep are called."""

from lightning_modules.command_line.sweep.run_names import LONGEST, run_name


def test_names_say_what_varies() -> None:
    values = {
        "config": "conf/asnp_rmr_gp_transfer.yaml",
        "model.memory": "NTM",
        "model.learning_rate": 0.001,
        "model.memory.slots": 16,
        "model.memory.sharp": True,
        "data.grids": [2, 3],
        "seed_everything": 2,
    }
    name = run_name(None, values, list(values))
    assert name == "asnp_rmr_gp_transfer-NTM-learning_rate0.001-slots16-sharp_true-grids_2_3-seed2"
    assert run_name(3, values, ["model.memory"]) == "003-NTM"
    assert run_name(None, values, []) == "run"


def test_names_tell_settings_of_one_name_apart() -> None:
    values = {"model.size": 1, "data.size": 2}
    assert run_name(None, values, list(values)) == "model.size1-data.size2"


def test_long_names_are_cut_and_differ() -> None:
    tried = [{f"key{n}": "x" * 20 for n in range(6)} | {"last": n} for n in range(9)]
    names = {run_name(None, values, list(values)) for values in tried}
    assert len(names) == 9
    assert {len(name) for name in names} == {LONGEST}
