"""Results that a claim is judged by: of its sweeps, and stored ones of the same settings."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_modules.command_line.reproduce.claim_document import line, report
from lightning_modules.command_line.reproduce.claim_file import read_claim
from lightning_modules.command_line.reproduce.claim_runs import ClaimRuns, NeededRun, has_diverged
from lightning_modules.command_line.reproduce.command import write
from lightning_modules.command_line.sweep.execution import Outcome
from lightning_modules.command_line.sweep.kept_runs import KeptRuns
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import RunFolder
from tests.cli.commands import ROOT
from tests.lightning_modules.records.made_up_runs import Runs

RECORDS = ROOT / "docs/records/gp_transfer"


@pytest.fixture
def claim_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ClaimRuns]:
    """Returns A2 in a working folder of its own, with its committed results."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(ROOT / "docs/claims/A2", tmp_path / "out/A2")
    monkeypatch.chdir(tmp_path)

    def opened(seeds: int | None = None) -> ClaimRuns:
        claim = read_claim(tmp_path / "conf/claims/A2.yaml")
        return ClaimRuns(claim, "cpu", seeds, tmp_path / "out")

    return opened


def execution(of: ClaimRuns, **ends: Any) -> Any:
    """A sweep whose runs end as told by model; its other runs have a kept record.

    Records of seeds after 33 are made up: those of seeds 31 and 32.
    """
    outcomes = []
    for sweep in of.sweeps:
        for number, values in enumerate(sweep.combinations(), 1):
            if number > (sweep.run_cap or 0):
                break
            seed, model = values["seed_everything"], Path(values["model"]).stem
            run = PlannedRun(Proposal(number, values, None), RunFolder(Path(f"runs/{number}")), ())
            how = ends.get(model, {}).get(seed, "kept")
            record = RECORDS / model / f"{seed if seed < 34 else seed - 3}.json"
            kept = read_runs([record]).runs[0]._replace(seed=seed) if how == "kept" else None
            if kept is not None and kept.tested is not None:
                kept = kept._replace(tested=kept.tested._replace(seed=seed))
            outcomes.append(Outcome(run, how, kept))
    return SimpleNamespace(outcomes=outcomes)


def test_a_model_that_diverges_is_not_judged_by_the_seeds_that_survived(
    claim_runs: Callable[..., ClaimRuns],
) -> None:
    five = claim_runs(5)
    judged, _ = five.trained([execution(five)], KeptRuns())
    assert [each.verdict for each in judged.judgements] == ["fails", "holds", "holds"]
    lost = {"asnp_rmr": {34: "diverged", 35: "diverged"}}
    judged, _ = five.trained([execution(five, **lost)], KeptRuns())
    assert [each.verdict for each in judged.judgements] == ["undecided"] * 3
    assert [each.seed for each in judged.results.diverged] == [34, 35]
    assert (judged.missing, judged.hours) == ([], 0)
    assert "3 undecided; 5 seeds; 2 diverged" in line(judged)
    written = report(judged, [], Path())
    assert "(claimed: below 0; 3 seeds; diverged: seeds 34, 35): undecided" in written
    assert "\n\nDiverged: asnp_rmr on gp_transfer, seeds 34, 35.\n" in written
    assert "Missing" not in written


def test_diverged_runs_are_stored_and_known_afterwards(
    claim_runs: Callable[..., ClaimRuns],
) -> None:
    three, every = claim_runs(), dict.fromkeys((31, 32, 33), "diverged")
    judged, runs = three.trained([execution(three, asnp_rmr=every)], KeptRuns())
    write(three, judged, runs)
    later = claim_runs().judged_so_far(KeptRuns())
    assert later.judgements == judged.judgements and later.verdict == "undecided"
    assert len(later.results.diverged) == 3 and later.missing == []
    said = "anp - asnp_rmr on gp_transfer: no numbers (claimed: within 0.1 of 0; diverged: seeds 31"
    assert said in report(later, [], Path())


def test_a_sweep_that_fails_erases_nothing(claim_runs: Callable[..., ClaimRuns]) -> None:
    three = claim_runs()
    before = {path.name: path.read_bytes() for path in three.out.iterdir()}
    models = ("asnp_rmr", "asnp_w", "snp", "anp")
    failed = {model: dict.fromkeys((31, 32, 33), "failed") for model in models}
    judged, runs = three.trained([execution(three, **failed)], KeptRuns())
    assert (judged.verdict, len(judged.results.scores), runs) == ("fails", 12, {})
    write(three, judged, runs)
    assert {path.name: path.read_bytes() for path in three.out.iterdir()} == before


def test_fewer_seeds_are_judged_without_losing_the_others(
    claim_runs: Callable[..., ClaimRuns],
) -> None:
    five = claim_runs(5)
    write(five, five.trained([execution(five)], KeptRuns())[0], {})
    three = claim_runs(3)
    judged = three.judged_so_far(KeptRuns())
    assert {score.seed for score in judged.results.scores} == {31, 32, 33}
    write(three, judged, {})
    assert len(json.loads(three.written.read_text(encoding="utf-8"))["runs"]) == 20
    assert claim_runs().seeds == 3 and claim_runs(5).judged_so_far(KeptRuns()).missing == []


def test_stored_results_count_while_settings_are_those_of_their_runs(
    claim_runs: Callable[..., ClaimRuns],
) -> None:
    """Settings of all files count, not only of the claim's."""
    assert len(claim_runs().judged_so_far(KeptRuns()).results.scores) == 12
    model = Path("conf/models/anp.yaml")
    model.write_text("class_path: ANP\ninit_args:\n  learning_rate: 0.0123\n", encoding="utf-8")
    without = claim_runs().judged_so_far(KeptRuns())
    assert {score.model for score in without.results.scores} == {"asnp_rmr", "asnp_w", "snp"}
    trainer = Path("conf/trainer/functions.yaml")
    text = trainer.read_text(encoding="utf-8")
    assert "max_steps: 1500" in text
    trainer.write_text(text.replace("max_steps: 1500", "max_steps: 150000"), encoding="utf-8")
    judged = claim_runs().judged_so_far(KeptRuns())
    assert (judged.verdict, judged.results.scores, len(judged.missing)) == ("open", [], 12)


def test_results_on_several_test_sets_are_refused(claim_runs: Callable[..., ClaimRuns]) -> None:
    three = claim_runs()
    content = json.loads(three.written.read_text(encoding="utf-8"))
    content["runs"][5]["test_set"] = "another one"
    three.written.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UsageError) as mistake:
        three.judged_so_far(KeptRuns())
    assert "A2: runs on gp_transfer were tested on DriftingFunctions (20 steps" in str(
        mistake.value
    )
    assert "3d83401ddd77) and on another one; those of out/A2/results.json" in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_run_can_diverge_unnoticed_until_its_test(runs: Runs) -> None:
    def ended(folder: Path, how: str = "finished") -> bool:
        run = PlannedRun(Proposal(1, {}, None), RunFolder(folder), ())
        return has_diverged(Outcome(run, how))

    broken = runs.functions("RMR", 0, nll=float("nan"))
    assert ended(broken) and not ended(broken, "failed")
    assert not ended(runs.functions("RMR", 1)) and ended(runs.root, "diverged")
    (broken / "results.json").write_text("{", encoding="utf-8")
    assert not ended(broken), "damaged, which says nothing of the training"


def test_a_needed_run_in_words() -> None:
    assert str(NeededRun("gp", "anp", 31)) == "anp on gp, seed 31"
