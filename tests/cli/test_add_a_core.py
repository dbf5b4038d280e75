"""docs/add_a_core.md: its core is short, fulfils the contract, and trains without changes here."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ExperimentCLI, main
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.sweep_file import read_sweep
from tests.cli.commands import ROOT, TINY, UNVALIDATED, benchmark_named, shortened
from tests.conformance.conftest import imported

PAGE = (ROOT / "docs/add_a_core.md").read_text(encoding="utf-8")
((CODE,), (SWEEP,), COMMANDS) = (
    re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) for kind in ("python", "yaml", "sh")
)
FORM = "--core must be module.Class, such as my_package.MyCore"
WORDS = [shlex.split(line) for line in "".join(COMMANDS).splitlines()]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "my_memory.py").write_text(CODE, encoding="utf-8")
    return tmp_path


def test_it_is_short() -> None:
    assert CODE.count("\n") <= 70 and max(map(len, CODE.splitlines())) <= 100


def test_it_keeps_the_contract(mine: Path) -> None:
    (words,) = (words for words in WORDS if "pytest" in words)
    options = words[words.index("pytest") + 1 :]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{mine}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b1\d\d passed, \d+ deselected", done.stdout)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "my_memory.None",
            f"{FORM}, got my_memory.None: module 'my_memory' has no attribute 'None'",
        ),
        ("nowhere.Core", f"{FORM}, got nowhere.Core: No module named 'nowhere'"),
        ("Recent", f"{FORM}, got Recent"),
        ("my_memory.Rows", "--core must be a subclass of MemoryCore, got my_memory.Rows"),
        (
            "memory_cores.MemoryCore",
            "--core: MemoryCore lacks _read, initial_state, lookup, pool, write",
        ),
    ],
)
def test_what_is_no_core_is_named(
    name: str, message: str, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(mine)
    with pytest.raises(pytest.UsageError, match=f"^{re.escape(message)}$"):
        imported(name)


def test_its_sweep_can_begin(
    mine: Path, monkeypatch: pytest.MonkeyPatch, build: Callable[..., ExperimentCLI]
) -> None:
    monkeypatch.syspath_prepend(mine)
    (words,) = (words for words in WORDS if "sweep" in words)
    file = mine / Path(words[words.index("sweep") + 1]).name
    file.write_text(SWEEP, encoding="utf-8")
    runs = list(Plan(read_sweep(file), []).runs())
    names = [run.name.removesuffix("-seed0") for run in runs[::3]]
    assert names == ["DNC", "ContextWindow", "my_memory.Recent"]
    assert type(build(*runs[-1].arguments).model.core).__name__ == "Recent"


@pytest.mark.parametrize("words", [words for words in WORDS if "fit" in words])
def test_it_trains(
    words: list[str], mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(mine)
    options = words[words.index("fit") + 1 :]
    config = f"--config={options[options.index('--config') + 1]}"
    small = (*shortened(benchmark_named([config])), *TINY, UNVALIDATED, "--trainer.max_steps=2")
    main(["fit", *options, *small, f"--trainer.default_root_dir={tmp_path}"])
    (model,) = tmp_path.glob("*/*/model.json")
    assert "Recent" in model.read_text(encoding="utf-8")
    assert (model.parent / "checkpoints/last.ckpt").is_file()
