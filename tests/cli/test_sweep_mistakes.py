"""Errors in a sweep are reported in one line: the setting, its value, and what is valid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules.command_line.sweep.study import FORMER, NAME

GOOD: dict[str, Any] = {
    "program": "cli.py",
    "method": "grid",
    "metric": {"name": "val/bound", "goal": "maximize"},
    "parameters": {"model.memory": {"values": ["DNC", "NTM"]}},
    "command": [
        *("${env}", "${interpreter}", "${program}"),
        *("fit", "--config", "conf/dnc_gtmm_maze.yaml", "${args}"),
    ],
}


def varying(**settings: Any) -> dict[str, Any]:
    return {"parameters": {key.replace("__", "."): value for key, value in settings.items()}}


def hyperband(**settings: Any) -> dict[str, Any]:
    return {"early_terminate": {"type": "hyperband", **settings}}


MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "method": (
        {"method": "gird"},
        ["method must be one of grid, random, bayes, got gird", "grid?"],
    ),
    "no method": ({"method": None}, ["method must be one of", "got None"]),
    "program": ({"program": "train.py"}, ["program must be cli.py or gtmm, got train.py"]),
    "setting": ({"paramters": {}}, ["paramters: there is no such setting", "mean parameters?"]),
    "early stop": (
        {"early_terminate": {}},
        ["early_terminate.type must be hyperband, got None"],
    ),
    "other early stop": (
        {"early_terminate": {"type": "envelope"}},
        ["early_terminate.type must be hyperband, got envelope"],
    ),
    "when to stop early": (
        hyperband(eta=2),
        ["early_terminate must have min_iter, or max_iter and s"],
    ),
    "no number of halvings": (
        hyperband(max_iter=9),
        ["early_terminate must have min_iter, or max_iter and s"],
    ),
    "too early": (
        hyperband(max_iter=2, s=1),
        ["early_terminate.max_iter must be at least eta 3, got 2"],
    ),
    "halving": (
        hyperband(min_iter=1, eta=1),
        ["early_terminate.eta must be a whole number above 1, got 1"],
    ),
    "iterations": (
        hyperband(min_iter=0.5),
        ["early_terminate.min_iter must be a whole number above 0, got 0.5"],
    ),
    "strict": (
        hyperband(min_iter=1, strict=True),
        ["early_terminate.strict: is not supported here: runs are judged by the best 1 / eta"],
    ),
    "what to stop early by": (
        {"metric": None, **hyperband(min_iter=1)},
        ["metric: is missing; early_terminate needs its name and goal"],
    ),
    "no parameters": ({"parameters": {}}, ["parameters must name at least one setting"]),
    "run_cap": ({"run_cap": 0}, ["run_cap must be a whole number above 0, got 0"]),
    "metric": ({"metric": "val/bound"}, ["metric must have a name", "got val/bound"]),
    "goal": (
        {"metric": {"name": "x", "goal": "min"}},
        ["metric.goal must be one of minimize, maximize, got min"],
    ),
    "bayes": ({"method": "bayes", "metric": None}, ["metric: is missing; bayes needs its name"]),
    "no words": ({"command": "fit"}, ["command must be a list of words, got fit"]),
    "no args": ({"command": ["fit"]}, ["command must have ${args} once, got fit"]),
    "json": (
        {"command": ["fit", "${args_json}"]},
        ["cannot fill in ${args_json}; valid: ${args}"],
    ),
    "subcommand": ({"command": ["test", "${args}"]}, ["command must run fit, got test ${args}"]),
    "empty": (varying(x={"values": []}), ["parameters.x.values must be a list of at", "got []"]),
    "twice": (varying(x={"values": [1, 2, 1]}), ["parameters.x.values: 1 is given twice"]),
    "plain": (varying(x=3), ["parameters.x must have values, value, or min and max, got 3"]),
    "key": (varying(x={"valeus": [3]}), ["parameters.x.valeus:", "did you mean values?"]),
    "distribution": (
        varying(x={"distribution": "beta", "a": 0}),
        ["parameters.x.a: there is no such setting", "valid: value, values, probabilities, min"],
    ),
    "unknown distribution": (
        varying(x={"distribution": "beta"}),
        [
            "parameters.x.distribution must be one of constant, categorical,",
            "q_log_normal, got beta",
        ],
    ),
    "a setting of another": (
        varying(x={"distribution": "uniform", "min": 0, "max": 1, "q": 1}),
        ["parameters.x.q: uniform has min, max"],
    ),
    "grid's normal": (
        varying(x={"distribution": "normal"}),
        ["parameters.x: a grid needs values, got normal"],
    ),
    "exponents": (
        varying(x={"distribution": "log_uniform", "min": -9.21034, "max": 0}),
        [
            "parameters.x.distribution: log_uniform takes min and max as exponents of e; use "
            "log_uniform_values, which takes values: min 0.0001, max 1"
        ],
    ),
    "rounded exponents": (
        varying(x={"distribution": "q_log_uniform", "min": "a", "max": 0}),
        ["use q_log_uniform_values, which takes values: min exp(min), max exp(max)"],
    ),
    "inverse exponents": (
        varying(x={"distribution": "inv_log_uniform", "min": 0, "max": 2.302585}),
        ["use inv_log_uniform_values, which takes values: min 0.1, max 1"],
    ),
    "rounding": (
        {"method": "random", **varying(x={"distribution": "q_normal", "q": 0})},
        ["parameters.x.q must be above 0, got 0"],
    ),
    "deviation": (
        {"method": "random", **varying(x={"distribution": "normal", "sigma": -1})},
        ["parameters.x.sigma must be above 0, got -1"],
    ),
    "probabilities": (
        {"method": "random", **varying(x={"values": [1, 2], "probabilities": [0.5, 0.6]})},
        ["parameters.x.probabilities must be 2 numbers that add up to 1, got [0.5, 0.6]"],
    ),
    "probabilities of a grid": (
        varying(x={"values": [1, 2], "probabilities": [0.5, 0.5]}),
        ["parameters.x.probabilities: only method random uses them"],
    ),
    "nested and more": (
        varying(model={"parameters": {"memory": {"value": "NTM"}}, "value": 3}),
        ["parameters.model has parameters and also value"],
    ),
    "nested twice": (
        varying(model={"parameters": {"memory": {"value": "NTM"}}}, model__memory={"value": "DNC"}),
        ["parameters.model.memory is given twice"],
    ),
    "nested mistake": (
        varying(model={"parameters": {"memory": {"vale": "NTM"}}}),
        ["parameters.model.memory.vale: there is no such setting here; did you mean value?"],
    ),
    "target": (
        {"metric": {"name": "x", "goal": "minimize", "target": 0}},
        ["metric.target: is not supported here: a sweep here continues to its last run; Ctrl-C"],
    ),
    "metric's setting": ({"metric": {"name": "x", "gaol": "maximize"}}, ["metric.gaol: there is"]),
    "job": ({"job": "x"}, ["job: is not supported here: W&B's Launch runs jobs"]),
    "grid's interval": (varying(x={"min": 0, "max": 1}), ["parameters.x: a grid needs values"]),
    "one end": ({"method": "random", **varying(x={"min": 0})}, ["parameters.x.max: is missing"]),
    "exponent": (
        {"method": "random", **varying(x={"min": "1e-3", "max": 1})},
        ["parameters.x.min must be a number, got 1e-3; a number with an exponent needs a point"],
    ),
    "order": (
        {"method": "random", **varying(x={"min": 3, "max": 1})},
        ["parameters.x.max must be above its min 3, got 1"],
    ),
    "logarithm": (
        {
            "method": "random",
            **varying(x={"min": 0, "max": 1, "distribution": "log_uniform_values"}),
        },
        ["parameters.x.min must be above 0 for log_uniform_values, got 0"],
    ),
    "no end": ({"method": "random"}, ["--trials: is missing; random has no end of its own"]),
    # Detected only by the experiments.
    "unknown": (
        varying(model__memori={"values": [1]}),
        ["model.memori: GTMM has no such setting; did you mean model.memory?"],
    ),
    "class": (varying(model__memory={"values": ["DNC", "NMT"]}), ["there is no NMT", "NTM?"]),
    "does not fit": (
        varying(
            model__memory={"values": ["DNC", "NoMemory"]}, model__memory__slots={"values": [9]}
        ),
        ["model.memory.slots: NoMemory has no such setting"],
    ),
    "range": (
        {"method": "random", "run_cap": 2, **varying(model__learning_rate={"min": -1.0, "max": 1})},
        ["model.learning_rate must be above 0, got -1.0"],
    ),
}


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[..., str]:
    """Writes a sweep with changed settings; None removes one."""

    def write(**changes: Any) -> str:
        content = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return str(tmp_path / "x.yaml")

    return write


@pytest.mark.parametrize("name", MISTAKES)
def test_file_is_explained(
    name: str, sweep_file: Callable[..., str], complaint: Callable[..., str], runs: Path
) -> None:
    changes, parts = MISTAKES[name]
    said = complaint("sweep", sweep_file(**changes), f"--trainer.default_root_dir={runs}")
    for part in parts:
        assert part in said
    assert not runs.exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--jobs=0"], "--jobs: must be a whole number above 0, got 0"),
        (["--trials", "many"], "--trials: must be a whole number above 0, got many"),
        (["--job=2"], "job: there is no such setting"),
        (["--launcher=srum -X"], "--launcher: there is no program srum on this machine"),
        (["--trainer.max_step=2"], "did you mean trainer.max_steps?"),
        (["--run=mine"], "run: the runs of a sweep are named after their values; leave it out"),
    ],
)
def test_options_are_explained(
    options: list[str],
    part: str,
    sweep_file: Callable[..., str],
    complaint: Callable[..., str],
) -> None:
    assert part in complaint("sweep", sweep_file(), *options)


def test_files_that_are_none(complaint: Callable[..., str], tmp_path: Path) -> None:
    nowhere = complaint("sweep", "conf/sweeps/maze_core.yaml")
    assert "there is no file conf/sweeps/maze_core.yaml; did you mean" in nowhere
    assert "conf/sweeps/maze_cores.yaml?" in nowhere
    (tmp_path / "x.yaml").write_text("a: [", encoding="utf-8")
    assert "is not a YAML file: " in complaint("sweep", f"{tmp_path}/x.yaml")
    (tmp_path / "x.yaml").write_text("text", encoding="utf-8")
    assert "is not a sweep: it has none of program, " in complaint("sweep", f"{tmp_path}/x.yaml")
    experiment = complaint("sweep", "conf/dnc_gtmm_maze.yaml")
    assert "conf/dnc_gtmm_maze.yaml: model: there is no such setting here" in experiment


def test_a_folder_of_other_runs_is_left_alone(
    sweep_file: Callable[..., str], complaint: Callable[..., str], runs: Path
) -> None:
    (runs / "x/somebody's").mkdir(parents=True)
    root = f"--trainer.default_root_dir={runs}"
    said = complaint("sweep", sweep_file(), root)
    assert f"{runs}/x has runs that are not a sweep's; name another folder with --exp" in said
    (runs / "x" / NAME).write_text(
        "no database, and longer than the head of one" * 99, encoding="utf-8"
    )
    said = complaint("sweep", sweep_file(), root)
    assert f"cannot read {runs}/x/{NAME}: " in said and "file is not a database" in said


def test_sweeps_of_before_cannot_go_on(
    sweep_file: Callable[..., str], complaint: Callable[..., str], runs: Path
) -> None:
    (runs / "x/NTM").mkdir(parents=True)
    (runs / "x" / FORMER).write_text('{"runs": {}}', encoding="utf-8")
    said = complaint("sweep", sweep_file(), f"--trainer.default_root_dir={runs}")
    assert f"{runs}/x/sweep.json is from an earlier version, whose sweeps cannot go on; " in said
    assert (
        "name another folder with --experiment=NAME (`compare` still reads finished runs)" in said
    )
    assert not (runs / "x" / NAME).exists()
