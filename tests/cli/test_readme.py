"""README and guide: their commands are valid, and their links are not broken."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from glob import glob
from pathlib import Path

import pytest

from cli import COMMANDS, ExperimentCLI, main
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.compare import parser
from lightning_modules.command_line.reproduce.command import reproduce_parser
from lightning_modules.command_line.sweep.command import sweep_parser
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.table_file import read_table
from tests.cli.commands import ROOT

README, GUIDE = ROOT / "README.md", ROOT / "docs/guide.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(*pages: Path) -> Iterator[str]:
    """Yield what pages show as commands, an unmarked block for a scheduler's script."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fences = re.findall(r"^```(.*?)\n(.*?)^```$", text, flags=re.S | re.M)
        yield from (block for language, block in fences if language in ("", "sh"))


def documented(*pages: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of pages, including those in scripts and over several lines."""
    for block in blocks(*pages):
        for command in re.findall(r"(?:cli\.py|gtmm) ([a-z]+ .+)", block.replace("\\\n", " ")):
            name, *words = shlex.split(command, comments=True)
            yield name, words


#: All pages but one, whose commands need a file: test_add_a_core.py.
DOCUMENTED = [*documented(*(page for page in PAGES if page.name != "add_a_core.md"))]
OPTIONS = [*documented(README, GUIDE)]


def test_the_first_two_blocks_are_one_command_each() -> None:
    first, second, *_ = blocks(README)
    assert (first.count("\n"), second.count("\n")) == (1, 1)
    assert "cli.py fit --config conf/dnc_gtmm_maze.yaml" in first
    assert "-m pytest" in second


class Parsed(Exception):
    """Raised once a command's arguments are parsed, to stop it there."""


def on_one_device(words: list[str]) -> list[str]:
    """Skip what needs processes (see test_processes.py) or a run's checkpoint."""
    left_out = {"--ckpt_path", "--trainer.devices", "--trainer.num_nodes", "--trainer.strategy"}
    pairs = zip(["", *words], words, strict=False)
    return [word for before, word in pairs if not {before, word} & left_out]


@pytest.mark.parametrize(
    ("name", "words"), DOCUMENTED, ids=[f"{name}-{words[0]}" for name, words in DOCUMENTED]
)
def test_every_documented_command_is_understood(
    name: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    build: Callable[..., ExperimentCLI],
) -> None:
    parse = CommandParser.parse

    def parsed(parser: CommandParser, args: Sequence[str]) -> None:
        parse(parser, args)
        raise Parsed

    if name in COMMANDS:
        monkeypatch.setattr(CommandParser, "parse", parsed)
        with pytest.raises(Parsed):
            main([name, *words])
    elif "--config" in words:
        assert name == "fit"
        assert build(*on_one_device(words)).model is not None
    else:  # a run's own settings
        assert name in ("fit", "test", "predict") and words[0] == "--ckpt_path"


def test_all_commands_are_documented() -> None:
    names = {name for name, _ in DOCUMENTED}
    assert {*COMMANDS, "fit", "test", "predict"} == names


def test_parameters_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    (options,) = (options for command, options in OPTIONS if command == "parameters")
    words = [word for pattern in options for word in glob(pattern) or [pattern]]
    main(["parameters", *words])
    table = capsys.readouterr().out
    assert "dnc_gtmm_maze" in table and "vrnn_maze" in table


def test_comparisons_have_runs_and_make_tables_a_picture_and_a_page() -> None:
    given = [parser().parse_args(options) for command, options in OPTIONS if command == "compare"]
    assert [len(each.runs) for each in given] == [1] * 6
    endings = [each.out.suffix if each.out else "tables" for each in given]
    assert endings == [".png", "tables", ".html", ".html", ".md", ".html"]


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
    assert [plan.folder.name for plan in plans] == ["maze_replicas", "maze_cores", "maze_replicas"]
    # test_conf.py begins a table's sweeps, as they are here.
    assert [settings for table, settings in tables if len(table.sweeps) > 1] == [[]]
    assert [options.jobs for options, _ in given] == [2, 1, 2, 2]


def test_claims_are_reproduced_and_listed() -> None:
    given = [reproduce_parser().parse(words) for name, words in OPTIONS if name == "reproduce"]
    assert [(each.names, each.all, each.status) for each in given] == [
        (["A2"], False, False),
        ([], True, True),
    ]
    assert all((ROOT / f"conf/claims/{name}.yaml").is_file() for name in given[0].names)


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
    """Words, beside the tables' numbers and the commands."""
    text = re.sub(r"^\|.*\|$", "", README.read_text(encoding="utf-8"), flags=re.M)
    assert len(re.sub(r"```.*?```", "", text, flags=re.S).split()) < 780
