"""``probe``: trained runs are probed as a user would, and what cannot be is said in a line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import main
from lightning_modules.records.probe_file import load_probe

RECALL = "--config=conf/dnc_gtmm_perfect_recall_l10.yaml"
FUNCTIONS = "--config=conf/asnp_rmr_gp_transfer.yaml"


@pytest.fixture
def trained(tiny: Callable[..., list[str]], runs: Path) -> Callable[..., Path]:
    """Trains a step, and returns the run's folder."""

    def train(*options: str) -> Path:
        steps = ("--trainer.max_steps=1", "--trainer.limit_val_batches=0", "--run=r")
        main([*tiny("fit", *options), *steps])
        return next(runs.glob("*/r"))

    return train


def test_a_run_is_probed_and_the_page_shows_it(
    trained: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(RECALL)
    main(["test", f"--ckpt_path={run}/checkpoints/last.ckpt", "--trainer.limit_test_batches=1"])
    capsys.readouterr()
    main(["probe", str(run), "--times=2"])
    said = capsys.readouterr().out
    found = load_probe(run / "probe.json")
    changed = {each.change: each for each in found.changed}
    assert list(changed) == ["untouched", "zeroed", "shuffled", "transplanted"]
    tested = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert changed["untouched"].value == pytest.approx(tested["scalars"]["recall_ratio"], rel=1e-6)
    assert len({each.value for each in found.changed}) == 4
    assert all(0 <= share <= 1 for each in found.changed for share in (each.own, each.donor))
    once, twice = found.lengthened
    assert (once.steps, once.stored, twice.steps, twice.stored) == (12, 10, 22, 20)
    assert once.state == tested["state_size"] < twice.state
    (row,) = re.findall(r"^  zeroed +([\d.]+)", said, re.M)
    assert row == f"{changed['zeroed'].value:.3f}"
    assert (run / "probe.png").is_file()
    main(["compare", str(run), f"--out={tmp_path}/page.html"])
    assert '<section id="probes">' in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_core_whose_parameters_count_its_slots_has_one_length(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str], complaint: Callable[..., str]
) -> None:
    run = trained(RECALL, "--model.memory=Introspection")
    capsys.readouterr()
    main(["probe", str(run / "checkpoints/last.ckpt"), "--times=2,4"])
    assert "longer: left out, the parameters of Introspection depend on" in capsys.readouterr().out
    assert len(load_probe(run / "probe.json").lengthened) == 1
    said = complaint("probe", str(run), "--data.recall_length=5", "--data.pre_recall_length=5")
    assert "ckpt_path:" in said
    said = complaint("probe", str(run), "--model.memory.slots=12", "--data.pre_recall_length=4")
    assert "data: PerfectRecall has no recall phase here: no step after the given" in said
    said = complaint("probe", str(run), "--data.eval_batch_size=1")
    assert "data.eval_batch_size must be at least 2, for donors, got 1" in said


def test_functions_are_probed_at_steps_without_a_context(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str], complaint: Callable[..., str]
) -> None:
    run = trained(FUNCTIONS)
    capsys.readouterr()
    main(["probe", str(run), "--times=2"])
    assert "without context (nats per target)" in capsys.readouterr().out
    found = load_probe(run / "probe.json")
    assert [each.change for each in found.changed] == [
        *("untouched", "zeroed", "shuffled", "transplanted")
    ]
    assert len({each.value for each in found.changed}) == 4
    assert [each.steps for each in found.lengthened] == [4, 8]
    said = complaint("probe", str(run), "--data.context_steps=4")
    assert "data: DriftingFunctions has no recall phase here: every step has a context" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conf"], "conf has no checkpoint, such as conf/checkpoints/best.ckpt"),
        (["nowhere"], "there is no file or folder nowhere"),
        (["README.md"], "ckpt_path: README.md lies in no run's folder"),
        (["conf", "--sequences=1"], "--sequences must be at least 2, got 1"),
        (["conf", "--times=two"], "argument --times: must be whole numbers above 1, got two"),
        (["conf", "--times=1"], "argument --times: must be whole numbers above 1, got 1"),
    ],
)
def test_what_cannot_be_probed_is_said(
    complaint: Callable[..., str], words: list[str], message: str
) -> None:
    assert message in complaint("probe", *words)
