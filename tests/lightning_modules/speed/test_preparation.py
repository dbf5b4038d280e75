"""Preparing a process: what is said, and that nothing stops where operators cannot be built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_modules.speed import preparation
from memory_cores.kernels import building

ROOT = Path(__file__).parents[3]


pytestmark = pytest.mark.operators


@pytest.fixture(autouse=True)
def not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start as in a new process."""
    monkeypatch.setattr(building, "_built", False)
    monkeypatch.setattr(building, "_failure", None)


@pytest.mark.parametrize(
    "error", [RuntimeError("Error building extension: c++\nlong output"), OSError("no room")]
)
def test_what_can_not_be_built_is_said_in_a_line(
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))  # where nothing is built yet

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(building.cpp_extension, "load", fail)
    preparation.prepare()
    why = str(error).splitlines()[0]
    before, said = capsys.readouterr().out.splitlines()
    assert before.startswith("Building C++ operators, once: this takes half a minute")
    assert said == f"Loops over time take longer, since their C++ operators cannot be built: {why}"
    assert not building.are_in_use()
    monkeypatch.setattr(building.cpp_extension, "load", lambda *_, **__: None)
    with pytest.raises(type(error), match=why.split(":")[0]):
        building.build()  # what an older source has left could be loaded now


def test_what_took_long_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "build", lambda begin: None)
    preparation.prepare()
    assert not capsys.readouterr().out
    monkeypatch.setattr(preparation, "REPORTED_S", -1.0)
    preparation.prepare()
    said = "Built C++ operators in 0 s; later runs reuse them\n"
    assert capsys.readouterr().out == said


def test_what_takes_long_is_said_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Minutes of silence would look like a hang."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    said: list[str] = []
    monkeypatch.setattr(
        building.cpp_extension, "load", lambda *_, **__: said.append(capsys.readouterr().out)
    )
    preparation.prepare()
    assert len(said) == 1 and "GTMM_OPERATORS=0 disables them" in said[0]


def test_operators_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GTMM_OPERATORS", "0")
    preparation.prepare()
    said = capsys.readouterr().out
    assert said == ("C++ operators are disabled (GTMM_OPERATORS=0): loops over time take longer\n")
    assert not building.are_in_use()
    monkeypatch.setenv("GTMM_OPERATORS", "1")
    preparation.prepare()
    assert building.are_in_use()


def test_a_lock_of_a_killed_build_stops_nobody() -> None:
    """PyTorch waits for its lock forever."""
    building.build()
    libraries = map(Path, torch.ops.loaded_libraries)
    (folder,) = {path.parent for path in libraries if "memory_cores" in path.name}
    lock = folder / "lock"
    lock.touch()
    program = "from memory_cores.kernels import building; building.build()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, env=environment)
    assert not lock.exists()


def test_what_is_whole_is_built_once_for_all_checkouts(monkeypatch: pytest.MonkeyPatch) -> None:
    building.build()

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(building, "_built", False)
    monkeypatch.setattr(building.cpp_extension, "load", fail)
    building.build()
    assert building.are_in_use()
    # Changed sources are rebuilt: an older build does not stand in for them.
    monkeypatch.setattr(building, "_built", False)
    monkeypatch.setattr(building, "ALL_SOURCES", building.ALL_SOURCES[:-1])
    with pytest.raises(AssertionError, match="built again"):
        building.build()


@pytest.mark.parametrize(("answer", "expected"), [(1, [-3, -1]), (0, [-3])])
def test_what_an_old_allocator_refuses_is_left_alone(
    answer: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: list[int] = []

    class Library:
        def mallopt(self, option: int, value: int) -> int:
            options.append(option)
            return answer

    monkeypatch.setattr(preparation.ctypes, "CDLL", lambda _: Library())
    preparation.keep_freed_memory()
    assert options == expected


FAULTS_OF_LARGE_TENSORS = """
import resource
import torch
from lightning_modules.speed.preparation import keep_freed_memory

def faults():
    torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
keep_freed_memory()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_used_again() -> None:
    said = subprocess.check_output([sys.executable, "-c", FAULTS_OF_LARGE_TENSORS], cwd=ROOT)
    before, after = map(int, said.split())
    # Ten tensors of 64 MB; as it is, each takes new pages, of 4 kB or larger.
    assert after < before / 5
