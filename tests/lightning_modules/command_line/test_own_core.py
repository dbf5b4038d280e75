"""A user's core that cannot be built is reported in one line: its class, the error, its place."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import ExperimentCLI
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.own_core import explain_constructor
from lightning_modules.command_line.usage_error import UsageError
from memory_cores import DNC, MemorySizes
from tests.cli.commands import MAZE

#: Each class cannot be built for another reason.
CODE = """\
import torch
from torch import nn

from memory_cores import DNC, MemoryCore, NoMemory


class OnMeta(NoMemory):
    def __init__(self, sizes) -> None:
        super().__init__(sizes)
        self.rates = torch.tensor([1.0, 10.0]).log10().tolist()


class Early(NoMemory):
    def __init__(self, sizes) -> None:
        self.map = nn.Linear(2, 2)


class Chained(DNC):
    def __init__(self, sizes) -> None:
        try:
            {}["rate"]
        except KeyError as missing: raise RuntimeError("no\\nrate") from missing


class Range(NoMemory):
    def __init__(self, sizes, rate: float = 0.0) -> None:
        raise ValueError(f"rate must be above 0, got {rate}")


class Lacking(MemoryCore):
    def initial_state(self, batch_size, like): ...
    def write(self, state, control, items): ...
    def _read(self, state, control): ...


class Inherits(OnMeta):
    pass
"""
EXPLANATIONS = {
    "OnMeta": "could not be built: NotImplementedError: Cannot copy out of meta tensor; no data! "
    "({file}, line 10)",
    "Inherits": "could not be built: NotImplementedError: Cannot copy out of meta tensor; no data! "
    "({file}, line 10)",
    "Early": "could not be built: AttributeError: cannot assign module before Module.__init__() "
    "call ({file}, line 15)",
    "Chained": "could not be built: RuntimeError: no rate ({file}, line 22)",
    "Lacking": "lacks lookup, pool",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's module, which Python imports once."""
    path = tmp_path_factory.mktemp("mine") / "own_cores.py"
    path.write_text(CODE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        yield path


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_core_that_cannot_be_built(name: str, file: Path, build: Callable[..., ExperimentCLI]):
    with pytest.raises(UsageError) as mistake:
        build(MAZE, f"--model.memory=own_cores.{name}")
    expected = f"model.memory: own_cores.{name} {EXPLANATIONS[name]}"
    assert str(mistake.value) == expected.format(file=file)


def test_a_setting_out_of_range_is_still_named_by_its_key(
    file: Path, build: Callable[..., ExperimentCLI]
):
    with pytest.raises(UsageError) as mistake:
        build(MAZE, "--model.memory=own_cores.Range")
    assert str(mistake.value) == "model.memory.rate must be above 0, got 0.0"


def test_other_commands_report_it_too(file: Path):
    """``parameters`` names the experiment; ``sweep`` plans by the same blueprints."""
    with pytest.raises(UsageError) as mistake:
        blueprint("conf/asnp_rmr_gp_transfer.yaml", [], ["--model.memory=own_cores.Lacking"])
    expected = "conf/asnp_rmr_gp_transfer.yaml: model.memory: own_cores.Lacking lacks lookup, pool"
    assert str(mistake.value) == expected


def test_a_core_of_the_project_keeps_its_traceback():
    with pytest.raises(TypeError) as bug:
        DNC(MemorySizes(control=1, key=1, value=1, steps=1), slots="many")  # type: ignore[arg-type]
    assert explain_constructor(bug.value) is None
