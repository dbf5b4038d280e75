"""Every form of jsonargparse's messages, provoked for real, ends with the key and what is valid.

It runs over the installed jsonargparse. A form that a release words in another way is not known any
more, and its test fails; setup.cfg says which releases passed.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from lightning_modules.command_line import experiment_parser
from lightning_modules.command_line.experiment_cli import ExperimentCLI
from lightning_modules.command_line.parsing_messages import EXPLANATIONS, explain_parsing
from lightning_modules.command_line.usage_error import UsageError
from memory_cores import CORES
from tests.cli.commands import MAZE, ROOT

FUNCTIONS = "--config=conf/asnp_rmr_gp_transfer.yaml"
WINDOW = "--config=conf/asnp_w_gp_sparse.yaml"
#: On the command line, after an experiment on the maze.
OPTIONS = {
    # Mistyped keys; abbreviations are mistyped keys too.
    "--model.memori=NoMemory": ["model.memori:", "did you mean model.memory?"],
    "--model.mem=NoMemory": ["model.mem:", "did you mean model.memory?"],
    "--model.memory.slot=3": ["model.memory.slot:", "did you mean model.memory.slots?"],
    "--model.visual.hiden_size=3": ["model.visual.hiden_size:", "did you mean model.visual.hidden"],
    "--trainer.max_step=3": ["trainer.max_step:", "did you mean trainer.max_steps?"],
    "--data.batch=3": ["data.batch:", "did you mean data.batch_size?"],
    "--data.gird=3": ["data.gird:", "did you mean data.grid?"],
    "--modle.latent_size=3": ["modle.latent_size:", "did you mean model.latent_size?"],
    "--exprmient=x": ["exprmient:", "did you mean experiment?"],
    "word": ["word: there is no such setting"],
    "--model.memory.help": [
        "--model.memory.help: names no class; write ",
        "NAME, with one of Bayesian",
    ],
    "--model.memory.help=": ["--model.memory.help: names no class", " DNC, "],
    "--model.latent_size": ["has no value; write --KEY=VALUE"],
    "--trainer.devices": ["--trainer.devices: has no value"],
    # Wrong types.
    "--trainer.max_steps=abc": ["trainer.max_steps must be a whole number, got abc"],
    "--model.memory.slots=abc": ["model.memory.slots must be a whole number or null, got abc"],
    "--model.latent_size=1.5": ["model.latent_size must be a whole number, got 1.5"],
    "--model.compile=3": ["model.compile must be true or false, got 3"],
    "--data.batch_size=x": ["data.batch_size must be a whole number, got x"],
    "--data.source=mnist6k": ["data.source must be one of auto, mnist", "did you mean mnist5k?"],
    "--data.curriculum=a": ["data.curriculum must be a list or null, got a"],
    "--data.curriculum=[{grids: [2]}]": [
        "data.curriculum[0] must have the keys batches, grids, got no batches"
    ],
    "--data.curriculum=[{batches: 1, grid: [2]}]": [
        "data.curriculum[0] must have the keys batches, grids, got no grids, an unknown grid"
    ],
    "--trainer.callbacks=3": ["trainer.callbacks must be a list or null, got 3"],
    "--trainer.precision=foo": ["trainer.precision must be one of 64, 32, 16, ", "bf16-mixed"],
    # Unknown classes.
    "--model.memory=DNCC": ["model.memory: there is no DNCC; did you mean DNC?", "NoMemory"],
    "--model.memory=VRNN": [
        "model.memory: there is no VRNN",
        "valid: ",
        *(c.__name__ for c in CORES),
    ],
    "--model.memory=ntm": ["model.memory: there is no ntm; did you mean NTM?"],
    # Classes by their full names; the first three modules are the test's own.
    "--model.memory=mistyped_module.Core": [
        "cannot import mistyped_module: ",
        "mistyped_module.py, line 2)",
    ],
    "--model.memory=needing_module.Core": [
        "model.memory: cannot import needing_module: No module named 'nothing_of_this_name'"
    ],
    "--model.memory=fine_module.core": [
        "model.memory: fine_module has no core; did you mean fine_module.Core?"
    ],
    "--model.memory=fine_module.Core": [
        "model.memory: fine_module.Core is not a class that can be chosen here"
    ],
    "--model.memory=nowhere.Core": [
        "model.memory: cannot import nowhere: No module named 'nowhere'",
        "; is its folder in PYTHONPATH?",
    ],
    "--model.memory=memory_cores.Nope": ["model.memory: memory_cores has no Nope"],
    "--model.visual=Digits": ["model.visual: there is no Digits", "CompactNetworks"],
    "--model=GTM": ["model: there is no GTM; did you mean GTMM?", "VRNN"],
    "--data=Maze": ["data: there is no Maze; did you mean MNISTMaze?"],
    # Missing files.
    "--config=conf/dnc_gtm_maze.yaml": ["no file conf/dnc_gtm", "mean conf/dnc_gtmm_maze.yaml?"],
    "--config=nowhere/x.yaml": ["config: there is no file nowhere/x.yaml"],
    "--config=conf": ["config: conf is not a configuration file"],
    "--model=models/dnc_gtm.yaml": ["no file models/dnc_gtm", "mean conf/models/dnc_gtmm.yaml?"],
    "--trainer=trainer/defalt.yaml": ["trainer: there is no file trainer/d", "mean conf/trainer/d"],
    "--config=conf/nope.yaml": [
        "config: there is no file conf/nope.yaml\n",
        "experiments: conf/anp_digits_sparse.yaml, conf/anp_digits_transfer.yaml, ",
        " more in conf/",
    ],
}
#: In a file, laid over an experiment on the maze.
FILES = {
    "modle: models/dnc_gtmm.yaml": ["modle:", "did you mean model?"],
    "model: {init_args: {latent_siz: 3}}": ["model.latent_siz:", "mean model.latent_size?"],
    "model: {init_args: {memory: {class_path: DNC, init_args: {slot: 4}}}}": [
        "model.memory.slot:",
        "mean model.memory.slots?",
    ],
    "model: {init_args: {memory: DNCC}}": ["model.memory: there is no DNCC; did you mean DNC?"],
    "model: models/nothere.yaml": ["model: there is no file models/nothere.yaml"],
    "model: [": ["config: a file is not YAML at line 2, column 1"],
    "model: broken.yaml": ["model: broken.yaml is not YAML at line 2, column 1"],
    "model: [3]": ["model must be a class or its settings, got [3]\nvalid: ANP, ASNP, ATGQN, GTMM"],
    "- 3": ["config: a file must contain keys and values, got - 3"],
    "config: nothere.yaml": ["config: there is no file nothere.yaml"],
    "trainer: {max_steps: many}": ["trainer.max_steps must be a whole number, got many"],
    "trainer: {max_step: 3}": ["trainer.max_step:", "did you mean trainer.max_steps?"],
    "trainer: nothere.yaml": ["trainer: there is no file nothere.yaml"],
    "trainer: broken.yaml": ["trainer: broken.yaml is not YAML at line 2, column 1"],
    "trainer: many.yaml": ["trainer.max_steps must be a whole number, got many"],
}
STAGE = "batches: 9, sequence_length: 9, context_steps: 9, most_points: 9"
#: Command lines in full.
COMMANDS = {
    (): ["nothing to run", "--config conf/dnc_gtmm_maze.yaml"],
    ("fit",): ["nothing to run", "--config conf/dnc_gtmm_maze.yaml"],
    ("fitt", MAZE): ["fitt: there is no such subcommand; did you mean fit?\nvalid: fit, validate"],
    ("fit", "--config=conf/overlays/paper.yaml"): [
        "model: these settings belong to a class that no file names",
        "--config conf/dnc_gtmm_maze.yaml",
    ],
    ("fit", "--config=conf/vrnn_maze.yaml", "--model.memory=DNC"): [
        "model.memory: VRNN has no such setting; GTMM takes any core\n"
    ],
    ("fit", "--config=conf/anp_gp_sparse.yaml", "--model.step_in_x=true"): [
        "model.step_in_x: ANP has no such setting; its value is fixed\nvalid: hidden_size, "
    ],
    ("fit", WINDOW, "--model.memory.slots=lots"): [
        "model.memory.slots must be one of all or a whole number, got lots"
    ],
    ("fit", FUNCTIONS, "--data.regime=dense"): [
        "data.regime must be one of sparse, transfer, got dense"
    ],
    ("fit", FUNCTIONS, "--model.memory.key_range=a"): [
        "model.memory.key_range must be a number or null, got a"
    ],
    ("fit", FUNCTIONS, "--data.contexts=[5]"): [
        "data.contexts must be a list of 2 or null, got [5]"
    ],
    ("fit", FUNCTIONS, f"--data.curriculum=[{{{STAGE}}}]"): [
        "data.curriculum[0] must have the keys batches, ",
        "got no contexts",
    ],
    ("fit", FUNCTIONS, f"--data.curriculum=[{{{STAGE}, contexts: [5, 8], context: 3}}]"): [
        "data.curriculum[0] must have the keys batches, ",
        "got an unknown context",
    ],
}


class Reader(ExperimentCLI):
    """Parses and does nothing else."""

    def _set_seed(self) -> None: ...

    def before_instantiate_classes(self) -> None: ...

    def instantiate_classes(self) -> None: ...

    def _run_subcommand(self, subcommand: str) -> None: ...


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    """The command line's; it is built once, which takes a second."""
    return Reader(["fit", f"--config={ROOT}/conf/dnc_gtmm_maze.yaml"]).parser


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of a user's own, two of which cannot be imported."""
    for name, content in {
        "mistyped_module": "\nclass Core(:\n",
        "needing_module": "import nothing_of_this_name\n",
        "fine_module": "class Core: ...\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def known() -> set[object]:
    """The explanations that were given."""
    return set()


@pytest.fixture
def said(
    monkeypatch: pytest.MonkeyPatch, parser: ArgumentParser, known: set[object]
) -> Callable[..., str]:
    """Return the message about a mistaken command line; fail if its form is not known."""

    def explain(message: str, parser: ArgumentParser) -> str:
        given = ((each, each(message, parser)) for each in EXPLANATIONS)
        by, explanation = next(((by, e) for by, e in given if e is not None), (None, message))
        known.add(by)
        return explanation

    def read(*words: str) -> str:
        with pytest.raises(UsageError) as mistake:
            parser.parse_args(list(words))
        assert None not in known, f"no known form: {mistake.value}"
        assert len(str(mistake.value).splitlines()) <= 3
        return str(mistake.value)

    monkeypatch.setattr(experiment_parser, "explain_parsing", explain)
    return read


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a file beside others with mistakes, and returns the option that names it."""

    def write(content: str) -> str:
        (tmp_path / "broken.yaml").write_text("max_steps: [", encoding="utf-8")
        (tmp_path / "many.yaml").write_text("max_steps: many", encoding="utf-8")
        (tmp_path / "laid_over.yaml").write_text(content, encoding="utf-8")
        return f"--config={tmp_path / 'laid_over.yaml'}"

    return write


@pytest.mark.parametrize("option", OPTIONS)
def test_mistake_on_the_command_line(said: Callable[..., str], option: str) -> None:
    explanation = said("fit", MAZE, option)
    for part in OPTIONS[option]:
        assert part in explanation


@pytest.mark.parametrize("content", FILES)
def test_mistake_in_a_file(
    said: Callable[..., str], file: Callable[[str], str], content: str
) -> None:
    explanation = said("fit", MAZE, file(content))
    for part in FILES[content]:
        assert part in explanation


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_mistake_in_a_whole_command(said: Callable[..., str], command: tuple[str, ...]) -> None:
    explanation = said(*command)
    for part in COMMANDS[command]:
        assert part in explanation


def test_overlay_of_the_users_without_an_experiment(said, file: Callable[[str], str]) -> None:
    explanation = said("fit", file("model: {init_args: {latent_size: 3}}"))
    assert "--config conf/dnc_gtmm_maze.yaml" in explanation


def test_every_explanation_is_provoked(
    said: Callable[..., str], known: set[object], file: Callable[[str], str]
) -> None:
    """None is left that no message of the installed jsonargparse leads to."""
    for option in ("word", "--trainer.devices", "--trainer.max_steps=abc", "--config=nope.yaml"):
        said("fit", MAZE, option)
    for content in ("model: [", "- 3", "model: [3]", "model: {init_args: {latent_siz: 3}}"):
        said("fit", MAZE, file(content))
    said("fit", MAZE, "--model=GTM")
    said("fit", MAZE, "--model.memory=mistyped_module.Core")
    said("fit", FUNCTIONS, f"--data.curriculum=[{{{STAGE}}}]")
    said("fit", "--config=conf/overlays/paper.yaml")
    said()
    assert known == set(EXPLANATIONS)


def test_an_unknown_form_is_cut_to_its_first_lines(parser: ArgumentParser) -> None:
    assert explain_parsing("one\n\ntwo\nthree\nfour", parser) == "one\ntwo"
