"""Every file under conf/ works, alone or merged over others, and the command line overrides it."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

import pytest
import yaml

import memory_cores
from cli import ExperimentCLI
from datamodules import FunctionDataModule
from lightning_modules import ANP, ASNP, NP, SNP
from lightning_modules.callbacks.announcement import count_parameters
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.keep import OF_TABLE
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.command_line.sweep.sweep_file import read_sweep
from lightning_modules.command_line.sweep.table_file import read_table
from memory_cores import RMR, ContextWindow
from tests.cli.commands import MAZE, ROOT

CONF = ROOT / "conf"
EXPERIMENTS = sorted(CONF.glob("*.yaml"))
PROCESSES = [e for e in EXPERIMENTS if e.stem.startswith(("np_", "anp_", "snp_", "asnp_"))]
PICTURES = [e for e in PROCESSES if "_digits_" in e.stem or "_faces_" in e.stem]
RENDERERS = [e for e in EXPERIMENTS if "_rendering_" in e.stem]
MODELS_OF_FRAMES = [e for e in EXPERIMENTS if e not in PROCESSES + RENDERERS]
ROOMS = [e for e in MODELS_OF_FRAMES if e.stem.endswith(("_rotation", "_loop_closure"))]
MODELS_OF_DIGITS = [e for e in MODELS_OF_FRAMES if e not in ROOMS]
#: `paper.yaml` lies over every model of frames, `paper_neural_processes.yaml` over every process,
#: `paper_<benchmark>.yaml` over one benchmark's.
PAIRS = [
    (experiment, overlay)
    for overlay in sorted((CONF / "overlays").glob("*.yaml"))
    for experiment in EXPERIMENTS
    if overlay.stem.removeprefix("paper").removeprefix("compact") in experiment.stem
    and not (overlay.stem == "paper" and experiment not in MODELS_OF_DIGITS)
]
PAIRS += [(each, CONF / "overlays/paper_neural_processes.yaml") for each in PROCESSES + RENDERERS]
#: List sweeps.
TABLE, SEARCH = CONF / "sweeps/table.yaml", CONF / "sweeps/search.yaml"
#: W&B's, not parts of experiments.
SWEEPS = sorted({*(CONF / "sweeps").glob("*.yaml")} - {TABLE, SEARCH})
#: Have sweeps of their own.
CLAIMS = sorted((CONF / "claims").glob("*.yaml"))
FRAGMENTS = "models", "data", "trainer"
#: What makes each neural process the paper's: class, core and its slots; attention heads (1: the
#: mean of all); whether latents pool the memory, x has the step, and SNP's LSTM is read.
STRUCTURES = {
    "np": (NP, ContextWindow, "all", 1, False, True, False),
    "anp": (ANP, ContextWindow, "all", 8, False, True, False),
    "snp": (SNP, ContextWindow, 0, 1, False, False, True),
    "asnp_w": (ASNP, ContextWindow, 25, 8, False, True, True),
    "asnp_rmr": (ASNP, RMR, 25, 8, True, False, False),
}
#: Parameters of the paper's models in 3D (Gemici et al. 2017, table 1).
IN_THE_PAPER = {
    "vrnn": 5_912_706,
    "introspective_gtmm": 5_972_806,
    "ntm_gtmm": 5_986_692,
    "lru_gtmm": 5_979_115,
    "dnc_gtmm": 5_980_327,
}
#: Whether RMR's flows are tracked, and whether they interact.
FLOWS = {
    "asnp_rmr": (True, True),
    "asnp_rmr_without_tracking": (False, True),
    "asnp_rmr_without_interaction": (True, False),
}


def named(path: Path) -> str:
    return str(path.relative_to(CONF))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def model_of(experiment: Path) -> str:
    """Return an experiment's model file."""
    return yaml.safe_load(experiment.read_text(encoding="utf-8"))["model"]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=named)
def test_experiment_runs_two_steps(tiny: Callable[..., list[str]], runs: Path, experiment: Path):
    cli = ExperimentCLI(tiny("fit", f"--config={experiment}", "--trainer.fast_dev_run=2"))
    assert cli.trainer.global_step == 2
    assert not runs.exists()


@pytest.mark.parametrize(("experiment", "overlay"), PAIRS, ids=named)
def test_overlay_lies_over_experiment(experiment: Path, overlay: Path):
    assert blueprint(str(experiment), [str(overlay)], []).model is not None


def test_overlay_trains(tiny: Callable[..., list[str]]):
    files = MAZE, "--config=conf/overlays/paper.yaml"
    cli = ExperimentCLI(tiny("fit", *files, "--trainer.fast_dev_run=2", "--data.batch_size=1"))
    assert cli.trainer.global_step == 2


def test_every_file_is_in_version_control():
    command = ["git", "ls-files", "conf"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if listed.returncode:
        pytest.skip("not in a checkout")
    on_disk = {str(path.relative_to(ROOT)) for path in CONF.rglob("*.yaml")}
    assert set(listed.stdout.split()) == on_disk


def test_every_fragment_is_used():
    used = {
        value
        for path in EXPERIMENTS
        for value in yaml.safe_load(path.read_text(encoding="utf-8")).values()
    }
    # Sweeps name them as the command line does.
    swept = re.findall(r"conf/([a-z_/0-9]+\.yaml)", "".join(map(text_of, SWEEPS + CLAIMS)))
    used |= {*swept}
    fragments = {named(path) for folder in FRAGMENTS for path in (CONF / folder).glob("*.yaml")}
    assert fragments <= used
    assert {f"pictures/{regime}.yaml" for regime in ("sparse", "transfer")} <= used


@pytest.mark.parametrize("fragment", sorted({model_of(e) for e in PROCESSES}))
def test_neural_process_is_the_papers(fragment: str):
    name = Path(fragment).stem
    experiment = next(e for e in PROCESSES if model_of(e) == fragment)
    model = blueprint(str(experiment), [], []).model
    core, recurrent = model.core, model.recurrent_path is not None
    structure = type(model), type(core), core.slots, core.attention.heads
    structure += model.pool_memory, model.step_in_x, recurrent
    assert structure == STRUCTURES[name.split("_without_")[0]]
    if name in FLOWS:
        assert (core.tracks, core.interacts) == FLOWS[name]
    else:
        assert type(core) is not RMR


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=named)
def test_name_says_model_and_data(experiment: Path):
    said = yaml.safe_load(experiment.read_text(encoding="utf-8"))
    model, data = (Path(said[key]) for key in ("model", "data"))
    assert experiment.stem == f"{model.stem}_{data.stem}"
    assert (CONF / "models" / model.name).is_file() and (CONF / "data" / data.name).is_file()
    assert (model.parent.name, data.parent.name) == ("models", "data")


def test_every_experiment_says_what_it_is():
    for experiment in EXPERIMENTS:
        assert experiment.read_text(encoding="utf-8").startswith("# "), experiment


@pytest.mark.parametrize("experiment", PICTURES, ids=named)
def test_moving_pictures_have_the_stages_of_their_regime(experiment: Path):
    """Shared settings are merged over model and data, and all experiments have them."""
    built = blueprint(str(experiment), [], [])
    model, data = built.settings.model.init_args, built.datamodule.hparams
    assert built.experiment_name() == experiment.stem
    assert (model.hidden_size, model.learning_rate, model.place_range) == (128, 2.5e-3, 8.0)
    assert (model.warm_up, model.compile) == (300, True)
    assert (data["batch_size"], data["train_size"], data["num_workers"]) == (32, 96_000, 4)
    sparse = experiment.stem.endswith("sparse")
    assert data["regime"] == ("sparse" if sparse else "transfer")
    batches = [stage["batches"] for stage in data["curriculum"]]
    assert batches == ([8_000, 5_000, 7_000, 4_000] if sparse else [8_000, 12_000])
    trainer = built.settings.trainer
    assert (trainer.max_steps, trainer.val_check_interval) == (24_000, 2_000)
    assert trainer.log_every_n_steps == 50


def test_no_two_files_say_the_same_of_a_setting():
    """Each value of models and trainers is in one place, except in overlays.

    Learning rates and slots are chosen for each model.
    """
    files = [path for folder in ("models", "trainer") for path in (CONF / folder).glob("*.yaml")]
    files.append(CONF / "pictures" / "model.yaml")
    said = [
        line.strip() for path in files for line in path.read_text(encoding="utf-8").splitlines()
    ]
    values = [line for line in said if re.fullmatch(r"(?!learning_rate|slots)\w+: [\d._e-]+", line)]
    assert values and sorted(values) == sorted(set(values))


@cache
def parameters_of(experiment: Path) -> int:
    return count_parameters(blueprint(str(experiment), [], []).model)


@pytest.mark.parametrize("experiment", MODELS_OF_FRAMES, ids=named)
def test_experiment_has_as_many_parameters_as_the_dncs(experiment: Path):
    """The paper's models are within 5% of one another (table 1)."""
    dncs = parameters_of(CONF / "dnc_gtmm_maze.yaml")
    assert abs(parameters_of(experiment) / dncs - 1) < 0.05


@pytest.mark.parametrize("experiment", ROOMS, ids=named)
def test_the_papers_models_of_rooms_have_its_parameters(experiment: Path):
    """Table 1, second column."""
    model, benchmark = re.fullmatch(r"(.+?)_(rotation|loop_closure)", experiment.stem).groups()
    overlays = [str(CONF / f"overlays/{name}.yaml") for name in ("paper", f"paper_{benchmark}")]
    count = count_parameters(blueprint(str(experiment), overlays, []).model)
    assert abs(count / IN_THE_PAPER[model] - 1) < 0.05


def test_fragments_have_no_interpolation():
    """Its key would not be found from a file named in another one."""
    files = set(CONF.glob("*/*.yaml")) - {*SWEEPS, *(CONF / "claims").glob("*.yaml")}
    below = [path for path in files if "${" in path.read_text(encoding="utf-8")]
    assert not below


@pytest.mark.cross
@pytest.mark.parametrize("path", SWEEPS, ids=named)
def test_sweep_says_what_it_answers_and_can_begin(path: Path):
    """A sweep is checked before its first run: all of its values build a model."""
    assert path.read_text(encoding="utf-8").split("\n")[0].startswith("# ")
    assert path.read_text(encoding="utf-8").split("\n")[0].endswith("?")
    plan = Plan(read_sweep(path), ["--trainer.max_steps=1"])
    assert plan.folder.name == path.stem
    if path.stem.startswith("table_"):
        kept = []
        for run in plan.runs():
            named = OF_TABLE.fullmatch(run.name)
            assert named is not None, run.name
            kept.append((*named.groups(), run.proposal.values["seed_everything"]))
        assert len({*kept}) == len(kept), "each is kept under a name of its own"


def contestants(of: Collection[str]) -> Counter[str]:
    """Count the cores of the files' models; models without one count as themselves."""
    models = [yaml.safe_load(text_of(ROOT / file)) for file in of]
    cores = [model.get("init_args", {}).get("memory") for model in models]
    named = [core["class_path"] if isinstance(core, dict) else core for core in cores]
    return Counter(core or model["class_path"] for core, model in zip(named, models, strict=True))


CORES = {core.__name__: 1 for core in memory_cores.CORES}
#: The paper's own ASNP with a window, beside ours.
CONTESTANTS = {"recall": {**CORES, "VRNN": 1}}
#: Of the search alone: without a memory the ratio is 1 with any setting.
CONTESTANTS["maze"] = {name: 1 for name in CORES if name != "NoMemory"}
CONTESTANTS["functions"] = {**CORES, "ContextWindow": 2, "SNP": 1, "ANP": 1, "NP": 1}
#: The paper's models: a run takes 20 minutes, and other cores would be 60 more.
CONTESTANTS["rendering"] = {"RMR": 1, "ContextWindow": 1, "TGQN": 1}
#: The family of each benchmark that is none of frames, by its first word.
FAMILIES = {"gp": "functions", "rendering": "rendering"}


def test_the_table_has_every_core_on_every_benchmark_three_times():
    cells: dict[str, dict[str, list[int]]] = {}
    for sweep in read_table(TABLE).sweeps:
        for values in sweep.combinations():
            cell = cells.setdefault(Path(values["data"]).stem, {})
            cell.setdefault(values["model"], []).append(values["seed_everything"])
    for benchmark, models in cells.items():
        # Seeds that no search used.
        assert {tuple(seeds) for seeds in models.values()} == {(31, 32, 33)}
        family = FAMILIES.get(benchmark.partition("_")[0], "recall")
        assert contestants(models) == CONTESTANTS[family]
    assert {"perfect_recall_l10", "maze", "one_shot_recall", "parity_recall_l10"} < {*cells}
    assert {"rotation", "loop_closure", "rendering_sparse", "rendering_transfer"} < {*cells}


def test_every_contestant_has_as_many_trials_in_the_search():
    for sweep in read_table(SEARCH).sweeps:
        trials: dict[str, set[tuple[object, ...]]] = {}
        for values in sweep.combinations():
            trials.setdefault(values.pop("model"), set()).add(tuple(sorted(values.items())))
        assert contestants(trials) == CONTESTANTS[sweep.path.stem.removeprefix("search_")]
        assert all(len(each) == 6 for each in trials.values())
        assert len({tuple(sorted(each)) for each in trials.values()}) == 1


@pytest.mark.parametrize("path", [TABLE, SEARCH], ids=["table", "search"])
def test_a_table_lists_all_its_sweeps(path: Path):
    table = read_table(path)
    listed = {file.path for file in table.sweeps}
    assert listed == {*(CONF / "sweeps").glob(f"{path.stem}_*.yaml")}, "none is forgotten"
    assert (table.records is not None) == (path == TABLE), "a search tests nothing"


@pytest.mark.parametrize("benchmark", ["maze", "similarity_cued_recall", "dynamic_dependency"])
def test_the_papers_overlays_leave_no_curriculum(benchmark: str, build) -> None:
    files = [f"vrnn_{benchmark}", "overlays/paper", f"overlays/paper_{benchmark}"]
    data = build(*(f"--config={CONF / f'{file}.yaml'}" for file in files)).datamodule
    assert data.hparams["curriculum"] is None


@pytest.mark.parametrize("model", ["tgqn", "atgqn_w", "atgqn_rmr"])
def test_the_papers_overlays_leave_patches_narrow_places(model: str, build) -> None:
    files = [f"{model}_rendering_sparse"]
    files += [f"overlays/paper_{name}" for name in ("neural_processes", "rendering")]
    built = build(*(f"--config={CONF / f'{file}.yaml'}" for file in files)).model
    assert built.place_scale == 1
    if model == "atgqn_rmr":
        assert 0.9 < built.memory.initial_keys.abs().max() <= 1


@pytest.mark.parametrize("pictures", ["digits", "faces"])
def test_the_papers_overlays_leave_no_stages(pictures: str, build) -> None:
    files = [f"asnp_rmr_{pictures}_sparse", "overlays/paper_neural_processes"]
    files.append(f"overlays/paper_{pictures}")
    cli = build(*(f"--config={CONF / f'{file}.yaml'}" for file in files))
    assert cli.datamodule.hparams["curriculum"] is None
    assert cli.datamodule.hparams["batch_size"] == {"digits": 8, "faces": 4}[pictures]
    assert cli.datamodule.recipe("train").free == 0, "the canvas of the authors' code is black"
    assert cli.model.place_scale == 1
    farthest = cli.model.memory.initial_keys.abs().max()
    assert 0.9 < farthest <= 1, "imaginary keys start on the image"


def test_every_curriculum_has_an_overlay_that_ends_it() -> None:
    data = [
        path.stem
        for path in (CONF / "data").glob("*.yaml")
        if is_staged(path.read_text(encoding="utf-8"))
    ]
    # Those of moving pictures stand in files that all of them share.
    assert is_staged((CONF / "pictures/sparse.yaml").read_text(encoding="utf-8"))
    data += {experiment.stem.rsplit("_", 2)[1] for experiment in PICTURES}
    ended = [path.stem.removeprefix("paper_") for path in (CONF / "overlays").glob("paper_*.yaml")]
    assert all(any(stem.startswith(benchmark) for benchmark in ended) for stem in data)
    used = {benchmark for benchmark in ended if any(stem.startswith(benchmark) for stem in data)}
    assert used == {*ended} - {"neural_processes", "rotation", "loop_closure", "rendering"}


def is_staged(text: str) -> bool:
    return "  curriculum" in text


@pytest.mark.parametrize(
    "experiment",
    [e for e in EXPERIMENTS if e.stem.startswith(("dnc_gtmm_", "asnp_rmr_digits", "asnp_rmr_gp"))],
    ids=named,
)
def test_training_ends_with_sequences_of_the_tests_form(experiment: Path) -> None:
    """Moving pictures may have more targets than in tests, but the same contexts."""
    built = blueprint(str(experiment), [], [])
    data, steps = built.datamodule, built.settings.trainer.max_steps
    stages = data.hparams.get("curriculum") or []
    staged = sum(stage["batches"] for stage in stages)
    if isinstance(data, FunctionDataModule):
        recipe = data.point_recipe("train")
        last = recipe.at((steps - 1) * data.hparams["batch_size"]).sets
        contexts = recipe.sets.steps, recipe.sets.context_steps, recipe.sets.contexts
        assert (last.steps, last.context_steps, last.contexts) == contexts
    else:
        assert staged <= steps / 2


def test_mixed_precision_clips_gradients(tiny: Callable[..., list[str]]):
    precise = "--trainer.precision=bf16-mixed", "--trainer.gradient_clip_val=1"
    cli = ExperimentCLI(tiny("fit", MAZE, "--trainer.fast_dev_run=2", *precise))
    assert cli.trainer.global_step == 2
