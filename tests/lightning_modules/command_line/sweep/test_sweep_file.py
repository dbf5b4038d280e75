"""W&B's files are read as W&B reads them."""

from pathlib import Path

import pytest
import yaml

from lightning_modules.command_line.sweep.parameter import examples
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.command_line.sweep.sweep_file import argument, read_sweep

FILE = """
apiVersion: v1
kind: sweep
controller: {type: local}
name: a sweep
program: cli.py
method: random
run_cap: 2
parameters:
  config: {value: conf/dnc_gtmm_maze.yaml}
  model:
    parameters:
      learning_rate: {distribution: log_uniform_values, min: 1.0e-3, max: 1.0e-1}
      memory:
        parameters:
          slots: {distribution: q_uniform, min: 4, max: 64, q: 4}
"""


def test_nested_parameters_and_no_command(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(FILE, encoding="utf-8")
    file = read_sweep(path)
    assert list(file.parameters) == ["config", "model.learning_rate", "model.memory.slots"]
    assert examples(file.parameters["model.memory.slots"]) == [4, 64]
    assert file.number_of_runs(None) == 2
    plan = Plan(file, [f"--trainer.default_root_dir={tmp_path}"])
    values = {
        "config": "conf/dnc_gtmm_maze.yaml",
        "model.learning_rate": 0.01,
        "model.memory.slots": 8,
    }
    run = plan.run(Proposal(1, values, None))
    assert run.arguments == (
        "--config=conf/dnc_gtmm_maze.yaml",
        "--model.learning_rate=0.01",
        "--model.memory.slots=8",
        f"--trainer.default_root_dir={tmp_path}",
        "--experiment=s",
        "--run=001-learning_rate0.01-slots8",
    )
    assert yaml.safe_load(FILE)["parameters"] == file.content["parameters"]


@pytest.mark.parametrize(
    ("value", "word"),
    [("NTM", "--k=NTM"), (True, "--k=true"), (None, "--k=null"), (1e-5, "--k=1e-05")],
)
def test_values_are_written_as_options(value: object, word: str) -> None:
    assert argument("k", value) == word
