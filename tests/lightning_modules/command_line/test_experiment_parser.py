"""Files and options are laid over each other; experiments have names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ExperimentCLI
from lightning_modules import GTMM, VRNN, CompactNetworks, DigitNetworks
from memory_cores import CORES, DNC, NoMemory
from tests.cli.commands import MAZE

DNC16 = """
model:
  class_path: GTMM
  init_args:
    memory: {class_path: DNC, init_args: {slots: 16, word_size: 8}}
data: MNISTMaze
"""


@pytest.fixture
def dnc16(tmp_path: Path) -> str:
    """An experiment that says in full which core it has."""
    path = tmp_path / "dnc16.yaml"
    path.write_text(DNC16, encoding="utf-8")
    return f"--config={path}"


def test_model_learns_sizes_from_data(build: Callable[..., ExperimentCLI]):
    model = build(MAZE, "--data.sequence_length=7").model
    assert model.backbone.memory.slots == 7
    assert model.hparams["frame_shape"] == (1, 28, 28)


@pytest.mark.parametrize("core", CORES)
def test_core_is_swapped_by_short_name(build: Callable[..., ExperimentCLI], dnc16: str, core: type):
    assert type(build(dnc16, f"--model.memory={core.__name__}").model.backbone.memory) is core


def test_core_is_swapped_for_a_fragment(
    build: Callable[..., ExperimentCLI], dnc16: str, tmp_path: Path
):
    (tmp_path / "core.yaml").write_text(
        "class_path: DNC\ninit_args:\n  slots: 7\n", encoding="utf-8"
    )
    memory = build(dnc16, f"--model.memory={tmp_path}/core.yaml").model.backbone.memory
    # Of the same class, it is laid over what was there.
    assert (memory.slots, memory.word_size) == (7, 8)


def test_one_setting_of_the_core_changes(build: Callable[..., ExperimentCLI], dnc16: str):
    memory = build(dnc16, "--model.memory.slots=11").model.backbone.memory
    assert (type(memory), memory.slots, memory.word_size) == (DNC, 11, 8)


@pytest.mark.parametrize("value", ["1", "2", "0.5", "1.0"])
@pytest.mark.parametrize("where", ["val", "test", "predict", "train"])
def test_one_batch_is_not_all_of_them(
    build: Callable[..., ExperimentCLI], where: str, value: str, tmp_path: Path
):
    """Lightning takes 1 for a number of batches, and 1.0 for a share."""
    key = f"limit_{where}_batches"
    typed = build(MAZE, f"--trainer.{key}={value}").settings.trainer[key]
    assert str(typed) == value
    (tmp_path / "few.yaml").write_text(f"trainer: {{{key}: {value}}}\n", encoding="utf-8")
    assert str(build(MAZE, f"--config={tmp_path}/few.yaml").settings.trainer[key]) == value


def test_swap_back_keeps_later_settings(build: Callable[..., ExperimentCLI], dnc16: str):
    swapped = "--model.memory=NoMemory", "--model.memory=DNC", "--model.memory.slots=5"
    assert build(dnc16, *swapped).model.backbone.memory.slots == 5


def test_networks_and_model_are_swapped(build: Callable[..., ExperimentCLI], dnc16: str):
    assert type(build(dnc16, "--model.visual=DigitNetworks").model.visual) is DigitNetworks
    vrnn = build(dnc16, "--model=VRNN", "--model.latent_size=4").model
    assert type(vrnn) is VRNN
    assert type(vrnn.backbone.memory) is NoMemory
    assert vrnn.backbone.latent_size == 4


def test_later_files_and_options_win(build: Callable[..., ExperimentCLI], tmp_path: Path):
    for name, size in {"first": 5, "second": 6}.items():
        content = f"model: {{init_args: {{latent_size: {size}, map_size: {size}}}}}"
        (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
    first, second = (f"--config={tmp_path}/{name}.yaml" for name in ("first", "second"))
    sizes = [
        build(MAZE, *options).model.backbone.latent_size
        for options in ([first, second], [second, first], [first, "--model.latent_size=7"])
    ]
    assert sizes == [6, 5, 7]


def test_interpolation_follows_the_command_line(
    build: Callable[..., ExperimentCLI], tmp_path: Path
):
    path = tmp_path / "interpolated.yaml"
    path.write_text(
        "data: {init_args: {eval_batch_size: '${data.init_args.batch_size}'}}", encoding="utf-8"
    )
    data = build(MAZE, f"--config={path}", "--data.batch_size=3").datamodule
    assert data.hparams["eval_batch_size"] == 3


def test_defaults_are_the_experiments(build: Callable[..., ExperimentCLI]):
    cli = build(MAZE)
    assert type(cli.model) is GTMM
    assert type(cli.model.visual) is CompactNetworks
    assert cli.settings.seed_everything == 0


def test_a_file_that_a_file_names_is_laid_over_it(
    build: Callable[..., ExperimentCLI], tmp_path: Path
):
    """Only its last line can name one, whose settings know the classes above it."""
    (tmp_path / "shared.yaml").write_text(
        "model: {init_args: {latent_size: 5, map_size: 6}}", encoding="utf-8"
    )
    content = "model: {class_path: GTMM, init_args: {latent_size: 4, memory: DNC}}\ndata: MNISTMaze"
    (tmp_path / "own.yaml").write_text(f"{content}\nconfig: shared.yaml\n", encoding="utf-8")
    cli = build(f"--config={tmp_path}/own.yaml", "--model.map_size=7")
    assert (cli.model.backbone.latent_size, cli.model.hparams["map_size"]) == (5, 7)
    # The command line names one file, and the experiment is called after it.
    assert [Path(str(file)).name for file in cli.settings.config] == ["own.yaml"]
    assert cli.experiment_name() == "own"


def test_experiments_name_is_the_first_files_or_the_users(build: Callable[..., ExperimentCLI]):
    files = "--config=conf/snp_digits_sparse.yaml", "--config=conf/overlays/paper_digits.yaml"
    assert build(*files).experiment_name() == "snp_digits_sparse"
    assert build(*files, "--experiment=mine").experiment_name() == "mine"


def test_trainers_defaults_need_no_file(build: Callable[..., ExperimentCLI], dnc16: str):
    trainer = build(dnc16).settings.trainer
    assert (trainer.default_root_dir, trainer.devices, trainer.num_sanity_val_steps) == (
        "runs",
        1,
        0,
    )
    assert (trainer.val_check_interval, trainer.check_val_every_n_epoch) == (500, None)
