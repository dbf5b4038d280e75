"""Commands by their names: the help that lists them, and names that are none."""

from collections.abc import Callable

import pytest

from cli import main
from tests.cli.commands import MAZE


def test_help_is_about_this_program(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["fit", "--help"])
    said = capsys.readouterr().out
    assert exit_.value.code == 0
    for part in ("--experiment", "--run", "--ckpt_path", "--model", "GTMM"):
        assert part in said


@pytest.mark.parametrize("command", ["parameters", "compare"])
def test_commands_are_found(complaint, capsys: pytest.CaptureFixture[str], command: str):
    assert f"did you mean {command}?" in complaint(command[:-1], MAZE)
    for arguments in (["--help"], ["fit", "--help"], [command, "--help"]):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        assert command in capsys.readouterr().out.partition("options:")[0]


def test_nothing_to_run(complaint: Callable[..., str]):
    assert "--config conf/dnc_gtmm_maze.yaml" in complaint()
    assert "--config conf/dnc_gtmm_maze.yaml" in complaint("fit")


def test_unknown_subcommand(complaint: Callable[..., str]):
    assert "did you mean fit?" in complaint("fitt", MAZE)
