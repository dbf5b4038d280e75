"""What the README says: its commands build what they name, and what it links to is there."""

import re
import shlex
from collections.abc import Callable

import pytest
from commands import ROOT

from cli import ExperimentCLI

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.S | re.M)
#: The first two blocks are the newcomer's two commands, which `.ci/run` runs as they are.
FITS = [line for line in "".join(BLOCKS[2:]).splitlines() if "cli.py fit --config" in line]


def test_the_first_two_blocks_are_one_command_each() -> None:
    assert [block.count("\n") for block in BLOCKS[:2]] == [1, 1]
    assert "cli.py fit --config conf/dnc_gtmm_maze.yaml" in BLOCKS[0]
    assert "-m pytest" in BLOCKS[1]


@pytest.mark.parametrize("line", FITS)
def test_command_builds(line: str, build: Callable[..., ExperimentCLI]) -> None:
    words = shlex.split(line)
    options = words[words.index("fit") + 1 :]
    if "ddp" in options:  # needs processes: test_processes.py runs it
        options = options[: options.index("--trainer.devices")]
    assert build(*options).model is not None


def test_there_are_commands_to_build() -> None:
    assert len(FITS) >= 4


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert "docs/maze_walk.png" in links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_files_it_names_exist() -> None:
    named = re.findall(r"`((?:conf|docs|memory_cores)/[\w/.]+)`", README)
    assert [name for name in named if not (ROOT / name).exists()] == []
