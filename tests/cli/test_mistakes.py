"""Every mistake ends with the key and the nearest valid choice, in a few lines."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cli import main
from memory_cores import CORES
from tests.cli.commands import MAZE

NAMES = [core.__name__ for core in CORES]
MISTAKES = {
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
    # Wrong types.
    "--trainer.max_steps=abc": ["trainer.max_steps must be a whole number, got abc"],
    "--model.memory.slots=abc": ["model.memory.slots must be a whole number or null, got abc"],
    "--model.latent_size=1.5": ["model.latent_size must be a whole number, got 1.5"],
    "--data.batch_size=x": ["data.batch_size must be a whole number, got x"],
    "--data.source=mnist6k": ["data.source must be one of auto, mnist", "did you mean mnist5k?"],
    "--data.train_grids=[a]": ["data.train_grids must be"],
    "--data.train_grids=a": ["data.train_grids must be a list or null, got a"],
    "--trainer.callbacks=3": ["trainer.callbacks must be a list or null, got 3"],
    "--trainer.precision=foo": ["trainer.precision must be one of 64, 32, 16, ", "bf16-mixed"],
    # Out of range.
    "--model.memory.slots=-1": ["model.memory.slots must be at least 1, got -1"],
    "--model.latent_size=0": ["model.latent_size must be above 0, got 0"],
    "--data.batch_size=0": ["data.batch_size must be at least 1, got 0"],
    "--data.train_grids=[1]": ["data.train_grids must be null or grids of at least 2, got [1]"],
    "--trainer.accelerator=gpux": ["trainer:", "invalid accelerator"],
    # Unknown classes.
    "--model.memory=DNCC": ["model.memory: there is no DNCC; did you mean DNC?", "NoMemory"],
    "--model.memory=VRNN": ["model.memory: there is no VRNN", "valid: ", *NAMES],
    "--model.visual=Digits": ["model.visual: there is no Digits", "CompactNetworks"],
    "--model=GTM": ["model: there is no GTM; did you mean GTMM?", "VRNN"],
    "--data=Maze": ["data: there is no Maze; did you mean MNISTMaze?"],
    # What only the data know.
    "--model.prefix_length=3": ["model.prefix_length: comes from the data; leave it out"],
    # Missing files.
    "--config=conf/dnc_gtm_maze.yaml": ["no file conf/dnc_gtm", "mean conf/dnc_gtmm_maze.yaml?"],
    "--config=nowhere/x.yaml": ["config: there is no file nowhere/x.yaml"],
    "--model=models/dnc_gtm.yaml": ["no file models/dnc_gtm", "mean conf/models/dnc_gtmm.yaml?"],
    "--config=conf/nope.yaml": [
        "config: there is no file conf/nope.yaml\n",
        "experiments: conf/anp_digits_sparse.yaml, conf/anp_digits_transfer.yaml, ",
        " more in conf/",
    ],
    "--ckpt_path=nowhere.ckpt": ["ckpt_path: there is no file nowhere.ckpt"],
    "--ckpt_path=README.md": ["ckpt_path: README.md is no checkpoint"],
}


@pytest.mark.parametrize("option", MISTAKES)
def test_mistake_on_the_command_line(complaint: Callable[..., str], option: str):
    said = complaint("fit", MAZE, option)
    for part in MISTAKES[option]:
        assert part in said


FILES = {
    "modle: models/dnc_gtmm.yaml": ["modle:", "did you mean model?"],
    "model: {init_args: {latent_siz: 3}}": ["model.latent_siz:", "mean model.latent_size?"],
    "model: {init_args: {memory: {class_path: DNC, init_args: {slot: 4}}}}": [
        "model.memory.slot:",
        "mean model.memory.slots?",
    ],
    "model: {init_args: {memory: DNCC}}": ["model.memory: there is no DNCC; did you mean DNC?"],
    "model: models/nothere.yaml": ["model: there is no file models/nothere.yaml"],
    "model: [": ["config"],
    "trainer: {max_steps: many}": ["trainer.max_steps must be a whole number, got many"],
    "data: {init_args: {batch_size: 0}}": ["data.batch_size must be at least 1, got 0"],
}


@pytest.mark.parametrize("content", FILES)
def test_mistake_in_a_file(complaint: Callable[..., str], tmp_path: Path, content: str):
    (tmp_path / "laid_over.yaml").write_text(content)
    said = complaint("fit", MAZE, f"--config={tmp_path / 'laid_over.yaml'}")
    for part in FILES[content]:
        assert part in said


def test_core_of_a_model_without_memory(complaint: Callable[..., str]):
    said = complaint("fit", "--config=conf/vrnn_maze.yaml", "--model.memory=DNC")
    assert "model.memory: VRNN has no such setting; GTMM takes any core\n" in said


def test_nothing_to_run(complaint: Callable[..., str]):
    assert "--config conf/dnc_gtmm_maze.yaml" in complaint()
    assert "--config conf/dnc_gtmm_maze.yaml" in complaint("fit")


@pytest.mark.parametrize("file", ["conf/overlays/paper.yaml", "{tmp_path}/model.yaml"])
def test_overlay_without_an_experiment(complaint: Callable[..., str], tmp_path: Path, file: str):
    (tmp_path / "model.yaml").write_text("model: {init_args: {latent_size: 3}}")
    said = complaint("fit", f"--config={file.format(tmp_path=tmp_path)}")
    assert "--config conf/dnc_gtmm_maze.yaml" in said


@pytest.mark.parametrize("subcommand", ["validate", "test", "predict"])
def test_untrained_model_is_not_measured(
    complaint: Callable[..., str], tiny: Callable[..., list[str]], runs: Path, subcommand: str
):
    said = complaint(*tiny(subcommand, MAZE))
    assert f"ckpt_path: {subcommand} needs a trained model's checkpoint" in said
    assert not runs.exists()
    main(tiny(subcommand, MAZE, "--trainer.fast_dev_run=true"))


def test_no_place_for_runs(complaint: Callable[..., str], tmp_path: Path):
    (tmp_path / "file").touch()
    said = complaint("fit", MAZE, f"--trainer.default_root_dir={tmp_path}/file")
    assert f"trainer.default_root_dir: can not make {tmp_path}/file/dnc_gtmm_maze" in said


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, [1, 2]])
def test_file_of_tensors_that_is_no_checkpoint(
    complaint: Callable[..., str], tmp_path: Path, content: object
):
    torch.save(content, tmp_path / "weights.ckpt")
    assert "is no checkpoint" in complaint("test", MAZE, f"--ckpt_path={tmp_path}/weights.ckpt")


def test_failed_resume_leaves_the_run_alone(complaint: Callable[..., str], fit, tmp_path: Path):
    run = fit(steps=1)
    before = {path: path.read_bytes() for path in run.rglob("*.*") if path.is_file()}
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    said = complaint("fit", last, "--model.memory=NoMemory")
    assert "model.memory is NoMemory here, DNC in the checkpoint" in said
    said = complaint("fit", last, "--model.memory.word_size=3", "--model.map_size=0")
    assert "model.memory.word_size is 3 here, 64 in the checkpoint" in said
    assert "model.map_size is 0 here, 128 in the checkpoint" in said
    assert "model is VRNN here, GTMM in the" in complaint(
        "fit", "--config=conf/vrnn_maze.yaml", last
    )
    assert {path: path.read_bytes() for path in run.rglob("*.*") if path.is_file()} == before


@pytest.mark.parametrize("option", ["run", "experiment"])
def test_checkpoint_decides_on_the_run(complaint: Callable[..., str], fit, option: str):
    run = fit("--run=a", steps=1)
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    said = complaint("test", last, f"--{option}=b")
    assert f"{option}: the command goes on in the run of its checkpoint" in said
    assert f"leave out --{option}" in said


def test_unknown_subcommand(complaint: Callable[..., str]):
    assert "did you mean fit?" in complaint("fitt", MAZE)


def test_data_that_is_not_there(
    complaint: Callable[..., str], tiny: Callable[..., list[str]], runs: Path, monkeypatch
):
    def refuse(data_dir: Path) -> None:
        raise OSError("no network")

    monkeypatch.setattr("datamodules.sources.mnist.download", refuse)
    said = complaint(*tiny("fit", MAZE), "--data.source=mnist", f"--data.data_dir={runs}/none")
    assert "data.source must be auto or mnist5k" in said
    assert not list(runs.glob("*/*"))
