"""README and guide: their commands build what they name, and their links lead somewhere."""

import re
import shlex
from collections.abc import Callable
from glob import glob
from pathlib import Path

import pytest

from cli import COMMANDS, ExperimentCLI, main
from lightning_modules.command_line.compare import parser
from lightning_modules.command_line.reproduce.command import reproduce_parser
from lightning_modules.command_line.sweep.command import sweep_parser
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.table_file import read_table
from tests.cli.commands import ROOT

README, GUIDE = ROOT / "README.md", ROOT / "docs/guide.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    block
    for page in (README, GUIDE)
    for block in re.findall(
        r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.S | re.M
    )
]
#: The first two blocks are the newcomer's two commands, which `.ci/run` runs as they are.
FITS = [line for line in "".join(BLOCKS[2:]).splitlines() if "cli.py fit --config" in line]
#: Options of the commands that are none of Lightning's.
OPTIONS = [
    (words[2], words[3:])
    for words in map(shlex.split, "".join(BLOCKS[2:]).splitlines())
    if words[2] in COMMANDS
]


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


def test_parameters_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    (options,) = (options for command, options in OPTIONS if command == "parameters")
    words = [word for pattern in options for word in glob(pattern) or [pattern]]
    main(["parameters", *words])
    table = capsys.readouterr().out
    assert "dnc_gtmm_maze" in table and "vrnn_maze" in table


def test_comparisons_have_runs_and_make_tables_a_picture_and_a_page() -> None:
    given = [parser().parse_args(options) for command, options in OPTIONS if command == "compare"]
    assert [len(each.runs) for each in given] == [1] * 5
    endings = [each.out.suffix if each.out else "tables" for each in given]
    assert endings == [".png", "tables", ".html", ".html", ".md"]


def test_sweeps_can_begin() -> None:
    given = [
        sweep_parser().parse_with_settings(options)
        for command, options in OPTIONS
        if command == "sweep"
    ]
    tables = [(read_table(options.file), settings) for options, settings in given]
    plans = [
        Plan(table.sweeps[0], settings) for table, settings in tables if len(table.sweeps) == 1
    ]
    assert [plan.folder.name for plan in plans] == ["maze_replicas", "maze_cores"]
    # test_conf.py begins a table's sweeps, as they are here.
    assert [settings for table, settings in tables if len(table.sweeps) > 1] == [[]]
    assert [options.jobs for options, _ in given] == [2, 1, 2]


def test_claims_are_reproduced_and_listed() -> None:
    given = [reproduce_parser().parse(words) for name, words in OPTIONS if name == "reproduce"]
    assert [(each.names, each.all, each.status) for each in given] == [
        (["A2"], False, False),
        ([], True, True),
    ]
    assert all((ROOT / f"conf/claims/{name}.yaml").is_file() for name in given[0].names)


def test_there_are_commands_to_build() -> None:
    assert len(FITS) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert "docs/maze_walk.png" in links or page != README
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_it_names_exist(page: Path) -> None:
    named = re.findall(r"`((?:conf|docs|memory_cores)/[\w/.]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_a_page_and_a_half() -> None:
    assert len(README.read_text(encoding="utf-8").split()) < 900
