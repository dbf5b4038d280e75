"""Files of settings: the working folder's own come first, then those of the installation."""

from pathlib import Path

import pytest
import yaml

from lightning_modules.command_line import configurations
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.configurations import (
    find,
    listed,
    resolve_content,
    resolve_words,
)
from lightning_modules.command_line.experiment_parser import ExperimentParser
from lightning_modules.command_line.reproduce.claim_file import contestant
from lightning_modules.command_line.sweep import table_file
from lightning_modules.command_line.sweep.table_file import read_table
from lightning_modules.command_line.usage_error import nearest_file
from lightning_modules.installation import CONFIGURATIONS

MAZE = Path("conf/dnc_gtmm_maze.yaml")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_own_file_comes_first() -> None:
    assert find(MAZE) == CONFIGURATIONS / "dnc_gtmm_maze.yaml"
    write(MAZE, "")
    assert find(MAZE) == MAZE
    other = Path("conf/models/dnc_gtmm.yaml")
    assert find(other) == CONFIGURATIONS / "models/dnc_gtmm.yaml", "one by one"


@pytest.mark.parametrize(
    "path", ["conf/none.yaml", "dnc_gtmm_maze.yaml", "x/conf/dnc_gtmm_maze.yaml"]
)
def test_what_is_not_of_conf_is_left_alone(path: str) -> None:
    assert find(Path(path)) == Path(path)


def test_only_options_that_name_files_are_completed() -> None:
    words = [
        "fit",
        f"--config={MAZE}",
        "--data.data_dir=conf/data",
        "--run=conf/data",
        f"--x={MAZE}",
    ]
    found = f"--config={CONFIGURATIONS}/dnc_gtmm_maze.yaml"
    assert resolve_words(words) == ["fit", found, *words[2:]]
    for option in ("-c", "--model", "--data", "--trainer"):
        (word,) = resolve_words([f"{option}=conf/models/vrnn.yaml"])
        assert word == f"{option}={CONFIGURATIONS}/models/vrnn.yaml"


def test_own_experiment_is_composed_of_installed_parts_and_own_ones() -> None:
    """A part of the same name beside the experiment wins, as it does in a checkout."""
    text = "model: models/vrnn.yaml\ndata: data/maze.yaml\ntrainer: trainer/default.yaml\n"
    mine = write(Path("conf/mine.yaml"), text)
    write(Path("conf/data/maze.yaml"), "class_path: PerfectRecall\n")
    built = blueprint(str(mine), [], ["--model.latent_size=7"])
    names = type(built.model).__name__, type(built.datamodule).__name__
    assert names == ("VRNN", "PerfectRecall")
    assert built.experiment_name() == "mine"
    assert built.settings.trainer.max_steps == steps_of(CONFIGURATIONS / "trainer/default.yaml")
    assert built.model.hparams["latent_size"] == 7


def steps_of(trainer: Path) -> int:
    return yaml.safe_load(trainer.read_text(encoding="utf-8"))["max_steps"]


@pytest.mark.parametrize("text", ["a: [", "- a\n", "model: models/none.yaml\n", "data: {a: 1}\n"])
def test_what_names_nothing_is_read_as_it_stands(text: str) -> None:
    assert resolve_content(text) == text


def test_numbers_of_a_file_stay_what_they_are() -> None:
    """YAML takes 1e-3 for a word, the parser for a number."""
    text = "model: models/dnc_gtmm.yaml\ntrainer: trainer/default.yaml\ndata: data/maze.yaml\n"
    mine = write(Path("mine.yaml"), f"{text}seed_everything: 0x10\nrun: '1e3'\n")
    over = write(Path("over.yaml"), "model: {init_args: {learning_rate: 1e-3}}\n")
    settings = blueprint(str(mine), [str(over)], []).settings
    assert settings.model.init_args.learning_rate == 1e-3
    assert (settings.seed_everything, settings.run) == (16, "1e3")


def test_every_command_that_names_an_experiment_finds_it() -> None:
    assert contestant({"config": str(MAZE)}) == ("maze", "dnc_gtmm")
    assert blueprint(str(MAZE), ["conf/overlays/paper.yaml"], []).model is not None
    words = ["--model=conf/models/vrnn.yaml", "--data=conf/data/maze.yaml"]
    assert type(ExperimentBlueprint(words).model).__name__ == "VRNN"


class ExperimentBlueprint(ExperimentParser):
    def __init__(self, words: list[str]) -> None:
        super().__init__(words, run=False)


def test_a_near_name_is_suggested_as_it_would_be_typed(elsewhere: Path) -> None:
    assert nearest_file("conf/dnc_gtmm_mazes.yaml").endswith("mean conf/dnc_gtmm_maze.yaml?")
    # What the parser complains of has the whole path.
    mistyped = str(elsewhere / "conf/sweeps/maze_replica.yaml")
    assert nearest_file(mistyped).endswith("did you mean conf/sweeps/maze_replicas.yaml?")
    write(Path("conf/mine.yaml"), "")
    assert {Path("conf/mine.yaml"), MAZE} < {*listed(Path("conf"))}
    assert listed(Path("nowhere")) == []


def test_an_installed_table_has_the_working_folders_records(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_table(find(Path("conf/sweeps/table.yaml"))).records is not None, "the checkout's"
    home = elsewhere / "site-packages/gtmm"
    table = write(home / "conf/sweeps/table.yaml", "sweeps: [s.yaml]\nrecords: ../../docs/records")
    write(
        home / "conf/sweeps/s.yaml",
        "{program: gtmm, method: grid, parameters: {model.memory: {values: [NTM]}}}",
    )
    for module in (configurations, table_file):
        monkeypatch.setattr(module, "CONFIGURATIONS", home / "conf")
    monkeypatch.setattr(table_file, "HOME", home)
    monkeypatch.setattr(table_file, "IN_CHECKOUT", False)
    path = find(Path("conf/sweeps/table.yaml"))
    assert path == table
    assert read_table(path).records is None, "nothing is kept yet"
    (elsewhere / "docs/records").mkdir(parents=True)
    assert read_table(path).records == Path("docs/records")
