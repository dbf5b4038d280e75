"""Commands by name: the help that lists them, and unknown names."""

import re
from collections.abc import Callable

import pytest

import datamodules
from cli import main
from lightning_modules import MODELS
from memory_cores import CORES
from tests.cli.commands import MAZE


@pytest.fixture
def help_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a command's help for a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def printed(*words: str) -> str:
        with pytest.raises(SystemExit) as exit_:
            main([*words])
        assert exit_.value.code == 0
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("subcommand", ["fit", "test"])
def test_help_names_every_model_core_and_benchmark_and_little_of_lightning(
    help_of: Callable[..., str], subcommand: str
):
    said = help_of(subcommand, "--help")
    for part in ("--experiment", "--run", "--ckpt_path", "--trainer.max_steps"):
        assert f"\n  {part}" in said
    benchmarks = [name for name in datamodules.__all__ if name.isalpha() and "Data" not in name]
    listed = [each.__name__ for each in (*MODELS, *CORES)] + [
        name for name in benchmarks if "Sequences" not in name
    ]
    assert len(listed) == 8 + 14 + 12
    for name in listed:
        assert re.search(rf"^  {name} +\S", said, re.MULTILINE), name
    assert "--trainer.gradient_clip_algorithm" not in said and "Linked" not in said
    assert len(said.splitlines()) < 140
    # The usage is typed as one line.
    assert max(map(len, said.partition("options:")[2].splitlines())) < 80


def test_help_of_a_sweep_says_which_folder_its_runs_get(help_of: Callable[..., str]):
    said = help_of("sweep", "--help")
    assert "[--experiment NAME]" in said.partition("\n\n")[0]
    folder = (
        "--experiment NAME puts the runs of a sweep into runs/NAME (default: the name of FILE)."
    )
    assert said.endswith(f"{folder}\n")


def test_options_of_the_trainer_have_a_help_of_their_own(help_of: Callable[..., str]):
    said = help_of("fit", "--trainer.help")
    assert "--trainer.gradient_clip_algorithm" in said and "--experiment" not in said


@pytest.mark.parametrize("before", [[], [MAZE], ["--model=ASNP"]])
def test_help_on_a_memory_core_needs_no_experiment(help_of: Callable[..., str], before: list[str]):
    """Settings have the names that users type."""
    said = help_of("fit", "--model.memory.help=NTM", *before)
    assert "  --model.memory.write_heads" in said and " --memory." not in said


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
