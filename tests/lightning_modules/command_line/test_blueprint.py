"""Models without numbers."""

from lightning_modules.command_line.blueprint import blueprint


def test_models_are_built_without_numbers():
    model = blueprint("conf/vrnn_maze.yaml", [], []).model
    assert {p.device.type for p in model.parameters()} == {"meta"}
