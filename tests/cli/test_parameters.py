"""The table of parameters: its numbers, what it leaves alone, and its mistakes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ExperimentCLI, main
from datamodules import SequenceDataModule
from tests.cli.commands import ROOT

PAPER = "--overlay=conf/overlays/paper.yaml"
MAZES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "conf").glob("*_maze.yaml"))
#: Gemici et al. 2017, table 1, digits and characters.
TABLE_1 = {
    "NoMemory": 1_884_177,
    "Introspection": 1_863_107,
    "NTM": 1_869_381,
    "LRU": 1_866_282,
    "DNC": 1_859_336,
}
PARTS = {
    "visual": ("visual.", "extractor."),
    "controller": ("backbone.controller.",),
    "memory": ("backbone.memory.",),
    "maps": ("backbone.prior_map.", "backbone.posterior_map."),
    "total": ("",),
}


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, str]]]:
    """Runs the command, and returns the rows of its table."""

    def rows(*arguments: str) -> list[dict[str, str]]:
        capsys.readouterr()
        main(["parameters", *arguments])
        return rows_of(capsys.readouterr().out)

    return rows


def rows_of(said: str) -> list[dict[str, str]]:
    header, _, *lines = said.split("\n\n")[0].splitlines()
    names = re.split(r"\s{2,}", header.strip())
    names = [name.replace(" ", "_") for name in names]
    return [dict(zip(names, line.split(), strict=True)) for line in lines]


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("experiment", ["dnc_gtmm_maze", "vrnn_perfect_recall_l50"])
def test_numbers_are_those_of_the_model_that_fit_builds(
    counted, build: Callable[..., ExperimentCLI], experiment: str
):
    file = f"conf/{experiment}.yaml"
    (row,) = counted(file)
    model = build(f"--config={file}").model
    for part, names in PARTS.items():
        ours = sum(p.numel() for name, p in model.named_parameters() if name.startswith(names))
        assert number(row[part]) == ours
    assert number(row["units"]) == model.backbone.controller.hidden_size
    assert row["experiment"] == experiment
    total, budget = number(row["total"]), model.hparams["parameter_budget"]
    assert float(row["of_budget"].rstrip("%")) == pytest.approx(
        100 * (total / budget - 1), abs=5e-3
    )


def test_the_papers_overlay_gives_table_1_within_five_percent(capsys: pytest.CaptureFixture[str]):
    main(["parameters", PAPER, *MAZES])
    said = capsys.readouterr().out
    rows = rows_of(said)
    assert [f"conf/{row['experiment']}.yaml" for row in rows] == MAZES
    assert {row["core"] for row in rows} == TABLE_1.keys()
    for row in rows:
        total = number(row["total"])
        assert total == pytest.approx(TABLE_1[row["core"]], rel=0.05)
        assert total == sum(number(row[part]) for part in PARTS if part != "total")
    totals = [number(row["total"]) for row in rows]
    more = f"{100 * (max(totals) / min(totals) - 1):.2f}% more parameters than the smallest"
    assert more in said


def test_overlays_and_settings_hold_for_all_whatever_their_order(counted, tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text(
        "model: {init_args: {visual: {init_args: {hidden_size: 8}}}}", encoding="utf-8"
    )
    overlays = "--overlay", f"{tmp_path}/tiny.yaml", PAPER.replace("paper", "paper_maze")
    budget = "--model.parameter_budget", "400000"
    rows = counted(MAZES[0], *overlays, *budget, MAZES[1])
    assert rows == counted(*MAZES[:2], *overlays, "--model.parameter_budget=400000")
    for row in rows:
        assert 0.97 < number(row["total"]) / 400_000 <= 1
        assert number(row["visual"]) < 100_000


def test_settings_with_spaces_are_no_files(counted):
    (row,) = counted(MAZES[0], '--model.memory={"class_path": "NTM"}')
    assert row["core"] == "NTM"


def test_a_given_controller_has_no_budget(counted):
    (row,) = counted(MAZES[0], "--model.controller_size=8")
    assert (row["units"], row["of_budget"]) == ("8", "-")


def test_a_state_is_counted_and_compared_with_its_budget(counted):
    (row,) = counted(MAZES[0], "--model.memory=NTM", "--model.controller_size=128")
    # h and c, z, five reads of 64; the core's own.
    assert (row["state_size"], row["to_budget"]) == (f"{256 + 32 + 320 + 1_750:,}", "-")
    (row,) = counted(MAZES[0], "--model.memory=LRU", "--model.state_budget=3000")
    assert number(row["state_size"]) == pytest.approx(3_000, rel=0.05)
    distance = f"{number(row['state_size']) / 3_000 - 1:+.2%}"
    assert row["to_budget"] == distance
    assert -5 < float(row["of_budget"].rstrip("%")) <= 0


def test_neural_processes_have_budgets_too(counted):
    experiments = "conf/asnp_rmr_gp_sparse.yaml", "conf/snp_gp_sparse.yaml"
    rows = counted(*experiments, "--model.parameter_budget=110000")
    for row in rows:
        assert 0.95 <= number(row["total"]) / 110_000 <= 1
        assert row["of_budget"] == f"{number(row['total']) / 110_000 - 1:+.2%}"
    (row,) = counted("conf/anp_gp_sparse.yaml")
    assert (row["units"], row["of_budget"], row["state_size"]) == ("64", "-", "grows")
    (row,) = counted("conf/np_gp_sparse.yaml")
    assert row["state_size"] == f"{2 * 64 + 2}"


def test_nothing_is_read_and_nothing_is_left(
    counted, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*arguments: object) -> None:
        raise AssertionError("data were touched")

    for method in ("prepare_data", "setup", "dataset"):
        monkeypatch.setattr(SequenceDataModule, method, refuse)
    folders = f"--trainer.default_root_dir={runs}", f"--data.data_dir={tmp_path}/data"
    assert len(counted(*MAZES, *folders)) == 5
    assert list(tmp_path.iterdir()) == []


def test_a_runs_own_settings_are_counted_too(counted, fit: Callable[..., Path]):
    config = fit("--model.memory=NTM", "--model.memory.slots=3", steps=1) / "config.yaml"
    (row,) = counted(str(config))
    assert (row["experiment"], row["core"], row["units"]) == ("dnc_gtmm_maze", "NTM", "8")


MISTAKES = {
    "conf/dnc_gtm_maze.yaml": ["no file conf/dnc_gtm_maze.yaml; did you mean conf/dnc_gtmm_maze"],
    "conf/overlays/paper.yaml": ["conf/overlays/paper.yaml: ", "these settings belong to a class"],
    "conf/vrnn_maze.yaml --model.memory=NTM": ["conf/vrnn_maze.yaml: model.memory: VRNN has no"],
    "conf/vrnn_maze.yaml --model.latent_siz=3": ["did you mean model.latent_size?"],
    "conf/vrnn_maze.yaml --model.parameter_budget=9": ["model.parameter_budget must be at least"],
    "conf/vrnn_maze.yaml --model.state_budget=9000": [
        "model.state_budget must be within 5% of ",
        "the nearest possible size within parameter_budget 1172000, got 9000",
    ],
    "conf/vrnn_maze.yaml --overlay=conf/nope.yaml": ["there is no file conf/nope.yaml"],
    "conf/vrnn_maze.yaml --overlay": ["--overlay: expected one argument", "parameters --help"],
    "--config conf/vrnn_maze.yaml": ["--config: here, name experiment files without an"],
    "conf/dnc_gtmm_maze.yaml -c=conf/vrnn_maze.yaml": ["-c: here, name experiment files without"],
    "--overlay=conf/overlays/paper.yaml": ["required: EXPERIMENT", "parameters --help"],
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes(complaint: Callable[..., str], arguments: str):
    said = complaint("parameters", *arguments.split())
    assert said.startswith("error: ")
    for part in MISTAKES[arguments]:
        assert part in said
