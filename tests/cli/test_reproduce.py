"""Claims of the papers: every file, a verdict by kept records, and a complete small one."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import lightning_modules
from cli import ExperimentCLI, main
from lightning_modules.command_line.reproduce.claim_document import document, report
from lightning_modules.command_line.reproduce.claim_file import SEED, Scale, find_claims, read_claim
from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns
from lightning_modules.command_line.sweep import process
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from lightning_modules.command_line.sweep.plan import Plan
from lightning_modules.declarations import Family
from lightning_modules.records.claim_results import SIZES, read_claim_results
from lightning_modules.records.statements import Statement
from tests.cli.commands import ROOT, SHORT_RECALL, SMALL_CONTROLLER, TINY, UNVALIDATED

CLAIMS = sorted((ROOT / "conf/claims").glob("*.yaml"))
NAMES = [f"A{i}" for i in range(1, 9)] + [f"B{i}" for i in range(1, 9)]
#: Maximum hours on two cores for a claim from scratch.
MOST_HOURS = 4.0
MODEL, DATA = "gtmm_without_memory", "conf/data/perfect_recall_l10.yaml"


def scales_of(path: Path) -> list[Scale]:
    return list(read_claim(path).scales.values())


def family_of(model: str) -> Family:
    content = yaml.safe_load((ROOT / f"conf/models/{model}.yaml").read_text(encoding="utf-8"))
    return getattr(lightning_modules, content["class_path"]).family()


def class_of(data: str) -> str:
    content = yaml.safe_load((ROOT / f"conf/data/{data}.yaml").read_text(encoding="utf-8"))
    return content["class_path"]


def models_in(statement: Statement) -> Sequence[str]:
    return statement.of + (statement.to if isinstance(statement.to, tuple) else ())


def test_every_claim_has_a_file_at_both_scales() -> None:
    assert [path.stem for path in CLAIMS] == NAMES
    for path in CLAIMS:
        assert list(read_claim(path).scales) == ["cpu", "paper"], path


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_seeds_and_budgets_are_those_that_were_fixed(path: Path) -> None:
    cpu, paper = scales_of(path)
    assert cpu.seeds == [31, 32, 33, 34, 35, 36, 37, 38]
    assert paper.seeds[:8] == cpu.seeds and len(paper.seeds) == 20
    assert cpu.hours <= MOST_HOURS


@pytest.mark.cross
@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_sweeps_of_a_claim_can_begin(path: Path) -> None:
    """Every model is built, as for the first seed."""
    for scale in scales_of(path):
        for sweep in scale.with_seeds(1):
            one = sweep.parameters | {SEED: type(sweep.parameters[SEED])([json.dumps(31)])}
            plan = Plan(sweep._replace(parameters=one), ["--experiment=claims"])
            assert len(list(plan.runs())) == sweep.run_cap


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_measures_are_declared_for_the_models_and_benchmarks(path: Path) -> None:
    claim = read_claim(path)
    for scale in claim.scales.values():
        contestants = list(scale.contestants())
        for statement in claim.statements:
            measure = statement.quantity.measure
            for data, model in contestants:
                if model in models_in(statement) and data in (statement.data or [data]):
                    family = family_of(model)
                    if measure not in SIZES:
                        of = family[measure].benchmarks
                        assert not of or class_of(data) in of, (model, data)
                    if statement.quantity.steps:
                        assert measure in [curve.name for curve in family.curves]
                    if statement.quantity.reaches is not None:
                        assert measure in family.followed, "else records do not keep it"


def test_every_statement_can_be_judged_at_some_scale_with_all_of_its_models() -> None:
    for path in CLAIMS:
        claim = read_claim(path)
        for statement in claim.statements:
            assert any(
                {(data, model) for model in models_in(statement)} <= set(scale.contestants())
                for scale in claim.scales.values()
                for data, _ in scale.contestants()
                if data in (statement.data or [data])
            ), (path, statement.says)


def test_kept_records_judge_the_first_claim_of_the_second_paper(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are found by their settings, and nothing has to be trained."""
    record = ROOT / "docs/records/perfect_recall_l10/vrnn/31.json"
    used = json.loads(record.read_text(encoding="utf-8"))["data"]
    # As on a machine that has MNIST.
    monkeypatch.setattr(KeptRuns, "_data_record", lambda *of: used)
    claim = read_claim(ROOT / "conf/claims/B1.yaml")
    judged = ClaimRuns(claim, "cpu", None, tmp_path).judged_so_far(KeptRuns(ROOT / "docs/records"))
    assert judged.missing == [] and judged.hours == 0
    below, drops, lowest = judged.judgements
    assert [one.of for one in below.comparisons] == [
        f"{core}_gtmm" for core in ("introspective", "dnc", "ntm", "lru")
    ]
    assert {one.to for one in below.comparisons} == {"vrnn"}
    assert below.verdict == "holds"
    assert {one.of: one.verdict for one in drops.comparisons}["vrnn"] == "fails"
    assert lowest.verdict == "undecided"
    assert judged.verdict == "fails"
    of_dnc = next(one for one in below.comparisons if one.of == "dnc_gtmm")
    dnc, vrnn = (0.142004 + 0.154026 + 0.149738) / 3, (0.998076 + 0.999567 + 0.997529) / 3
    assert of_dnc.difference.mean == pytest.approx(dnc - vrnn, abs=1e-6)


@pytest.fixture
def small(runs: Path) -> list[str]:
    """Settings of small runs."""
    return [
        *(*TINY, *SMALL_CONTROLLER, *SHORT_RECALL, UNVALIDATED, "--trainer.max_steps=2"),
        *("--data.source=mnist5k", "--trainer.logger=false", f"--trainer.default_root_dir={runs}"),
    ]


@pytest.fixture
def claims(tmp_path: Path, small: list[str]) -> Path:
    """A folder with one small claim, beside one without records."""
    parameters = {
        "seed_everything": {"values": [31, 32, 33, 34, 35]},
        "data": {"values": [DATA]},
        "model": {"values": [f"conf/models/{MODEL}.yaml"]},
    }
    command = ["fit", "${args}", *small]
    sweep = {"program": "cli.py", "method": "grid", "parameters": parameters, "command": command}
    content = {
        "claim": "Who has not learned does not recall.",
        "source": "Nowhere",
        "statements": [
            {"measure": "recall_ratio", "of": MODEL, "above": 0.1},
            {"measure": "recall_ratio", "of": MODEL, "below": 0.1, "says": "It does recall"},
        ],
        "scales": {"cpu": {"hours": 0.3, "sweeps": [sweep]}},
        "comment": "Two steps teach nothing.",
    }
    for folder in ("claims", "records"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "claims/Z1.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path.parent


@pytest.fixture
def reproduce(
    claims: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs the command on the small claim, and returns its output."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(process, "PROGRAM", ROOT / "tests/cli/without_pictures.py")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folders = [f"--{name}={claims.parent / name}" for name in ("claims", "records", "out")]

    def run(*words: str) -> str:
        capfd.readouterr()
        main(["reproduce", *words, *folders])
        return capfd.readouterr().out

    return run


@pytest.fixture
def kept(claims: Path, small: list[str], runs: Path) -> None:
    """Records of four of the claim's five runs; those after the first have made-up ratios."""
    words = [f"--data={DATA}", f"--model=conf/models/{MODEL}.yaml", *small]
    ExperimentCLI(["fit", *words, "--seed_everything=31", "--run=own"])
    (folder,) = runs.glob("*/own")
    ExperimentCLI(["test", f"--ckpt_path={folder}/checkpoints/last.ckpt"])
    records = claims.parent / "records"
    main(["keep", str(folder), f"--to={records}", f"--name=recall/{MODEL}"])
    content = json.loads((records / f"recall/{MODEL}/31.json").read_text(encoding="utf-8"))
    for seed in (32, 34, 35):
        scalars = {**content["scalars"], "recall_ratio": 0.9 + seed / 1000}
        other = json.dumps({**content, "seed": seed, "scalars": scalars})
        (records / f"recall/{MODEL}/{seed}.json").write_text(other, encoding="utf-8")
    shutil.rmtree(runs)


@pytest.mark.usefixtures("kept")
def test_a_claim_is_trained_judged_and_gone_on_with(
    reproduce: Callable[..., str], claims: Path, runs: Path
) -> None:
    out, folder = claims.parent / "out/Z1", runs / "claims_Z1_cpu"
    assert "Z1: 1 of 3 runs to train, about 0.1 hours" in reproduce("Z1", "--dry_run")
    said = reproduce("Z1", "--status")
    assert "Z1 undecided at cpu scale: 2 undecided; 3 seeds; 1 of 3 runs missing, 0.1 h" in said
    assert not runs.exists()
    said = reproduce("Z1", "--jobs=2")
    assert "1 of 3 runs finished, 2 kept" in said
    assert "Z1 fails     at cpu scale: 1 holds, 1 fails; 3 seeds" in said
    assert [path.name for path in folder.glob("*/")] == ["seed33"]
    assert {path.name for path in out.iterdir()} == {"results.json", "figure.png", "report.md"}
    report = (out / "report.md").read_text(encoding="utf-8")
    figure = "![Z1: by step of a sequence]"
    for part in ("# Z1: fails at cpu scale", "**fails**: It does recall", f"{figure}(figure.png)"):
        assert part in report
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [run["seed"] for run in results["runs"]] == [31, 32, 33]

    # As after an end between training and test.
    (folder / "seed33/results.json").unlink()
    assert "3/3 seed33: is tested" in (said := reproduce("Z1"))
    assert "starts" not in said
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == results

    assert "1 of 5 runs finished, 4 kept" in (said := reproduce("Z1", "--seeds=5"))
    assert "starts" not in said and "1 holds, 1 fails; 5 seeds" in said

    shutil.copy(claims / "Z1.yaml", claims / "Z2.yaml")
    said = reproduce("Z2", "--dry_run")
    assert f"seed33: is kept in {folder}/seed33" in said
    assert "Z2: 0 of 3 runs to train" in said

    shutil.rmtree(runs)
    shutil.rmtree(claims.parent / "records/recall")
    (claims / "Z2.yaml").unlink()
    said = reproduce("--all", "--status")
    assert "Z1 fails     at cpu scale: 1 holds, 1 fails; 5 seeds" in said
    document = (claims.parent / "out.md").read_text(encoding="utf-8")
    assert "| Z1 | **fails** | cpu | Who has not learned does not recall. |" in document
    assert f"{figure}(out/Z1/figure.png)" in document and "teach nothing" in document
    written = json.loads((out / "results.json").read_text(encoding="utf-8"))
    written["runs"] = written["runs"][:3]
    (out / "results.json").write_text(json.dumps(written), encoding="utf-8")
    assert "2 of 5 runs missing, 0.2 h" in reproduce("Z1", "--status")
    assert "missing" not in reproduce("Z1", "--status", "--seeds=3")


def test_results_of_other_settings_are_not_used(
    reproduce: Callable[..., str], claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = claims / "Z1.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    claim_runs = ClaimRuns(read_claim(path), "cpu", None, claims.parent / "out")
    (settings,) = {KeptRuns().settings_hash(words) for words in claim_runs.needed().values()}
    run = {
        **{"data": "perfect_recall_l10", "model": MODEL, "seed": 31, "test_set": "x"},
        **{"numbers": {"recall_ratio": 0.9}, "training_steps": 2, "seconds": 1, "hardware": "x"},
        "settings": settings,
    }
    kept = {"seeds": 5, "runs": [{**run, "seed": seed} for seed in range(31, 36)]}
    results = claims.parent / "out/Z1/results.json"
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps(kept), encoding="utf-8")
    assert "at cpu scale: 2 undecided; 5 seeds" not in (said := reproduce("Z1", "--status"))
    assert "1 holds, 1 fails; 5 seeds" in said, "as many as before, with no spread"
    content["scales"]["cpu"]["sweeps"][0]["command"].append("--model.latent_size=7")
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert "2 open; 5 seeds; 5 of 5 runs missing" in reproduce("Z1", "--status")


def test_status_rewrites_the_folders_that_are_there(
    reproduce: Callable[..., str], claims: Path
) -> None:
    path = claims.parent / "out/Z1/report.md"
    reproduce("--all", "--status")
    assert not path.exists()
    path.parent.mkdir(parents=True)
    path.write_text("before", encoding="utf-8")
    reproduce("Z1", "--status")
    assert path.read_text(encoding="utf-8") == "before", "only with the document"
    reproduce("--all", "--status")
    assert path.read_text(encoding="utf-8").startswith("# Z1: open at cpu scale")
    results = json.loads(path.with_name("results.json").read_text(encoding="utf-8"))
    assert (results["verdict"], results["runs"]) == ("open", [])


class AnyText(str):
    """Equals every text, and so do its parts."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __getitem__(self, key: Any) -> "AnyText":
        return self

    __hash__ = str.__hash__


def test_committed_reports_are_those_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has the data of all records."""
    data = {"source": AnyText(), "test_sha256": AnyText()}
    monkeypatch.setattr(KeptRuns, "_data_record", lambda *of: data)
    kept, out, entries = KeptRuns(ROOT / "docs/records"), ROOT / "docs/claims", []
    for claim in find_claims(ROOT / "conf/claims", []):
        claim_runs = ClaimRuns(claim, "cpu", None, out)
        judged, figures = claim_runs.judged_so_far(kept), claim_runs.figures()
        entries.append((judged, figures))
        if claim_runs.out.exists():
            written = claim_runs.report.read_text(encoding="utf-8")
            assert written == report(judged, figures, claim_runs.out), claim.name
            assert read_claim_results(claim_runs.written) == judged.stored, claim.name
    written = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    assert written == document(entries, ROOT / "docs")


def test_mistakes_are_explained(
    claims: Path, complaint: Callable[..., str], tmp_path: Path
) -> None:
    words = f"--claims={claims}", f"--records={tmp_path}/records", f"--out={tmp_path}/out"
    assert "there is no claim Z2; did you mean Z1?" in complaint("reproduce", "Z2", *words)
    assert "name a claim, such as A2, or --all, got neither" in complaint("reproduce", *words)
    assert "or --all, got Z1" in complaint("reproduce", "Z1", "--all", *words)
    assert "--scale: Z1 has no paper; valid: cpu" in complaint(
        "reproduce", "Z1", "--scale=paper", *words
    )
    assert "--seeds: Z1 has 5 at cpu scale, taken in stages, got 4; valid: 3, 5" in complaint(
        "reproduce", "Z1", "--seeds=4", *words
    )
    assert "leave --dry_run out" in complaint("reproduce", "Z1", "--status", "--dry_run", *words)
    assert "records: there is no folder" in complaint(
        "reproduce", "Z1", "--status", f"--claims={claims}", f"--records={tmp_path}/none"
    )
    (tmp_path / "out/Z1").mkdir(parents=True)
    (tmp_path / "out/Z1/results.json").write_text("{}", encoding="utf-8")
    assert "does not have the form that `reproduce` writes" in complaint(
        "reproduce", "Z1", "--status", *words
    )


def test_a_claim_without_a_measure_trains_nothing(
    reproduce: Callable[..., str], claims: Path, runs: Path
) -> None:
    path = claims / "Z1.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    content |= {"statements": [], "missing": "a number of moons"}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert "Z1: nothing to train. Not measured yet: a number of moons" in reproduce("--all")
    assert "no statement; 3 seeds; not measured yet: a number of moons" in reproduce(
        "Z1", "--status"
    )
    assert not runs.exists()
